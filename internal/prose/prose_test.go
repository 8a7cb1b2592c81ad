package prose

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// some returns n characters of an alphabet.
func some(r *rand.Rand, alphabet string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(b)
}

const (
	digits = "0123456789"
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	alnum  = digits + upper + "abcdefghijklmnopqrstuvwxyz"
)

// base64Lines makes lines like PEM's.
func base64Lines(r *rand.Rand, n int) []string {
	lines := make([]string, n)
	for i := range lines {
		lines[i] = some(r, alnum+"+/", 64)
	}
	return lines
}

// secret is a secret of a known shape: its text, and the part that must not be visible.
type secret struct{ text, hidden string }

// secrets makes one of every known shape.
func secrets(r *rand.Rand) map[string]secret {
	word := some(r, alnum, 20)
	whole := func(text string) secret { return secret{text, text} }
	within := func(before, hidden, after string) secret { return secret{before + hidden + after, hidden} }
	pem := base64Lines(r, 12)
	return map[string]secret{
		"github person":       whole("ghp_" + some(r, alnum, 36)),
		"github oauth":        whole("gho_" + some(r, alnum, 36)),
		"github user":         whole("ghu_" + some(r, alnum, 36)),
		"github installation": whole("ghs_" + some(r, alnum, 36)),
		"github refresh":      whole("ghr_" + some(r, alnum, 76)),
		"github fine-grained": whole("github_pat_" + some(r, alnum, 22) + "_" + some(r, alnum, 59)),
		"gitlab":              whole("glpat-" + some(r, alnum, 20)),
		"google access":       whole("ya29.a0" + some(r, alnum+"_-", 120)),
		"google api key":      whole("AIza" + some(r, alnum, 35)),
		"google client":       whole("GOCSPX-" + some(r, alnum, 28)),
		"google refresh":      whole("1//0" + some(r, alnum, 60)),
		"aws key":             whole("AKIA" + some(r, upper+digits, 16)),
		"aws session key":     whole("ASIA" + some(r, upper+digits, 16)),
		"aws secret":          within("aws_secret_access_key = ", some(r, alnum+"/+", 40), ""),
		"slack bot":           whole("xoxb-" + some(r, digits, 12) + "-" + some(r, digits, 12) + "-" + some(r, alnum, 24)),
		"slack app":           whole("xapp-1-" + some(r, upper, 11) + "-" + some(r, digits, 13) + "-" + some(r, alnum, 64)),
		"slack hook": within("https://hooks.slack.com/services/",
			"T"+some(r, upper, 8)+"/B"+some(r, upper, 8)+"/"+some(r, alnum, 24), ""),
		"json web token": whole("eyJ" + some(r, alnum, 30) + "." + "eyJ" + some(r, alnum, 90) + "." + some(r, alnum+"_-", 86)),
		"kubeconfig key": within("client-key-data: ", "LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVkt"+some(r, alnum, 60)+"==", ""),
		"private key":    within("-----BEGIN RSA PRIVATE KEY-----\n", strings.Join(pem, "\n"), "\n-----END RSA PRIVATE KEY-----"),
		"private key in json": within(`"private_key": "-----BEGIN PRIVATE KEY-----\n`, strings.Join(pem, `\n`),
			`\n-----END PRIVATE KEY-----\n"`),
		"private key, end cut":    within("-----BEGIN EC PRIVATE KEY-----\n", strings.Join(pem[:3], "\n"), ""),
		"private key, begin cut":  within("", strings.Join(pem[:3], "\n"), "\n-----END OPENSSH PRIVATE KEY-----"),
		"private key, both cut":   within("", strings.Join(pem, "\n"), ""),
		"address":                 within("postgres://shop:", word, "@db.internal:5432/shop"),
		"address, odd password":   within("amqp://shop:", "p/"+word+"@"+word, "@mq:5672/"),
		"address, token":          within("https://", word, "@github.com/acme/shop"),
		"basic":                   within("Authorization: Basic ", word+"==", ""),
		"bearer":                  within("authorization: bearer ", word, ""),
		"bearer alone":            within("sent Bearer ", word, ""),
		"digest":                  within(`Authorization: Digest username="shop", response="`, word, `"`),
		"header in python":        within("{'Authorization': 'Token ", word, "', 'Accept': '*/*'}"),
		"header in go":            within("map[Authorization:[Bearer ", word, "] Accept:[*/*]]"),
		"cookie":                  within("Set-Cookie: session=", word, "; Secure"),
		"curl":                    within("curl -u shop:", word, " https://shop.example.com"),
		"variable":                within("DB_PASSWORD=", word, ""),
		"variable, short name":    within("MYSQL_PWD=", word, ""),
		"variable, secret":        within("export STRIPE_SECRET='", word, "'"),
		"variable, token":         within("NPM_TOKEN=\"", word, "\""),
		"variable, key":           within("DJANGO_SECRET_KEY = '", word, "'"),
		"json":                    within(`{"user": "shop", "password": "`, word, `"}`),
		"json in json":            within(`{\"clientSecret\":\"`, word, `\"}`),
		"yaml":                    within("password: ", word, ""),
		"javascript":              within("{ user: 'shop', password: '", word, "', host: 'db' }"),
		"yaml token":              within("users:\n- user:\n    token: ", word, "\n"),
		"struct":                  within("{User:shop Password:", word, "}"),
		"keyword argument":        within("connect(host='db', password='", word, "')"),
		"query":                   within("https://shop.example.com/?a=1&access_token=", word, "&b=2"),
		"signed address":          within("https://x.example.com/y?X-Goog-Signature=", word, ""),
		"flag":                    within("mysql --password ", word, " shop"),
		"flag with equals":        within("vault login --token=", word, ""),
		"connection string":       within("Server=db;Password=", word, ";"),
		"coloured":                {"\x1b[31mghp_abcdefgh\x1b[0mijklmnopqrstuvwxyz0123456789", "abcdefgh"},
		"docker":                  within(`{"auths":{"gcr.io":{"auth":"`, some(r, alnum, 30), `"}}}`),
		"variable of Kubernetes":  within(`{"name":"DB_PASSWORD","value":"`, word, `"}`),
		"variable in yaml":        within("- name: DB_PASSWORD\n  value: ", word, ""),
		"attribute":               within(`<add key="DbPassword" value="`, word, `"/>`),
		"element":                 within("<password>", word, "</password>"),
		"yaml block":              within("password: |\n  ", word, "\n"),
		"yaml, next line":         within("token:\n  ", word, "\n"),
		"json, spaced":            within(`{"SessionToken" : "`, word, `"}`),
		"json, list":              within(`"tokens":["a","`, word, `"]`),
		"json, object":            within(`"password":{"value":"`, word, `"}`),
		"json in json in json":    within(`{\\\"password\\\":\\\"`, word, `\\\"}`),
		"json, encoded marks":     within(`\u0022password\u0022:\u0022`, word, `\u0022`),
		"html, encoded marks":     within(`&quot;password&quot;: &quot;`, word, `&quot;`),
		"make":                    within("DB_PASSWORD?=", word, ""),
		"comparison":              within("DB_PASSWORD==", word, ""),
		"in brackets":             within("DB_PASSWORD=[", word, "]"),
		"form":                    within("user[password]=", word, "&commit=1"),
		"encoded":                 within("password%3D", word, "&x=1"),
		"dsn":                     within("shop:", word, "@tcp(db:3306)/shop"),
		"no scheme":               within("shop:", word, "@db.internal:5432/shop"),
		"scheme of nobody":        within("//shop:", word, "@db/shop"),
		"address, escaped":        within(`postgres:\/\/shop:`, word, "@db"),
		"address, encoded":        within("postgres%3A%2F%2Fshop%3A", word, "%40db"),
		"address, in quotes":      within(`postgres://shop:"`, word, `"@db`),
		"address, mail":           within("smtp://shop@example.com:", word, "@mx:25"),
		"oracle":                  within("jdbc:oracle:thin:shop/", word, "@//db:1521/x"),
		"api key in a query":      within("https://maps.example.com/x?key=", word, "&y=1"),
		"code of OAuth":           within("https://shop.example.com/cb?code=4/0A", word, "&state=1"),
		"header, next line":       within("Authorization:\n  Bearer ", word, ""),
		"header, bytes":           within("{'Authorization': b'Bearer ", word, "'}"),
		"header, no colon":        within("Authorization -> Bearer ", word, ""),
		"header, list":            within(`"x-api-key": ["`, word, `"]`),
		"header, pair":            within("('X-Api-Key', '", word, "')"),
		"basic alone":             within("sent Basic ", word+"==", ""),
		"session":                 within("JSESSIONID=", word, "; Path=/"),
		"mysql":                   within("mysql -u root -p", word, " shop"),
		"sshpass":                 within("sshpass -p ", word, " ssh db"),
		"docker login":            within("docker login -u shop -p ", word, " gcr.io"),
		"netrc":                   within("machine github.com login shop password ", word, ""),
		"said":                    within("password '", word, "' is wrong"),
		"aws keys in a row":       within("AKIA"+some(r, upper+digits, 16)+",", some(r, alnum+"/+", 40), ""),
		"slack cookie":            whole("xoxd-%2B" + some(r, alnum, 40) + "%3D"),
		"service account, base64": whole("ewogICJ0eXBlIjogInNlcnZpY2VfYWNjb3VudCI" + some(r, alnum, 200) + "=="),
		"private key of ssh2": within("---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n", strings.Join(pem, "\n"),
			"\n---- END SSH2 ENCRYPTED PRIVATE KEY ----"),
		"split by a control char": {"gh\x00p_" + word + word, word},
	}
}

func TestSecretsOfKnownShapesAreMasked(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for name, s := range secrets(r) {
		for _, around := range [][2]string{{"", ""}, {"before ", " after"}, {"line\n", "\nline"}, {"(", ")"}, {"=", ","}} {
			text := around[0] + s.text + around[1]
			for how, got := range map[string]string{"Line": Line(text, 1<<20), "Block": Block(text, 1<<20), "Tail": Tail(text, 1<<20)} {
				if strings.Contains(Neutral(got), s.hidden) || survives(got, s.hidden) {
					t.Errorf("%s: %s(%q) is %q", name, how, text, got)
				}
			}
		}
	}
}

// survives reports whether a useful part of a secret is visible.
func survives(text, hidden string) bool {
	for line := range strings.FieldsFuncSeq(hidden, func(r rune) bool { return r == '\n' || r == '\\' }) {
		if len(line) >= 12 && strings.Contains(text, line[len(line)/2:]) {
			return true
		}
	}
	return false
}

func TestWhatIsNoSecretStays(t *testing.T) {
	for _, text := range []string{
		"the image gcr.io/acme-prod/my-python-app@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 cannot be pulled",
		"commit 7c2a4d7a9a6f7e9b4c1d2e3f405162738495a6b7 is live",
		"pod my-python-app-green-7d9c6b5f4-x2x7k: container app keeps ending with exit code 1 (restarts: 2)",
		`couldn't find key DB_PASSWORD in Secret shop/credentials`,
		`MountVolume.SetUp failed for volume "credentials" : secret "credentials" not found`,
		"https://console.cloud.google.com/cloud-build/builds;region=global/0f4c2e1a-5b6d-4c7e-8f90-a1b2c3d4e5f6?project=123456789",
		"GET http://10.0.0.7:8080/healthz?at=a@b answered 503, expected 200",
		"SyntaxError: Unexpected token '}' in JSON at position 3",
		"cloudbuild.yaml:7: steps[0].secretEnv: no such secret; declare it in availableSecrets",
		"annotate namespace shop turnout.dev/repositories=acme/my-python-app",
		"Traceback (most recent call last):\n  File \"app.py\", line 3, in <module>\nModuleNotFoundError: No module named 'flask'",
		"secret is empty: it holds no secret: write one per line",
		`KeyError: 'password'`, `failed to pull image "nginx:1.25@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"`,
		"dial tcp 10.0.0.1:5432: connect: connection refused", "basic authentication is not supported", "bearer authentication failed",
		"builder@acme-prod: 12:30:45",
		"authorization failed for builder@acme-prod.iam.gserviceaccount.com: 403",
	} {
		if got := Mask(text); got != text {
			t.Errorf("Mask(%q) is %q", text, got)
		}
	}
}

func TestWhatIsObeyedIsTakenOut(t *testing.T) {
	for text, want := range map[string]string{
		"a\x1b[2Jb\x1b]0;title\x07c\x1b]8;;https://x\x1b\\d\x1bcx": "abcdx",
		"\u009b31mred\u009d0;t\u009c.":                             "red.",
		"one\r\ntwo\rthree\u2028four":                              "one\ntwo\nthree\nfour",
		"\u202etxt.exe\u200b\ufeff\u2066":                          "txt.exe",
		"a\x00b\x07c\x7fd\x80":                                     "abcd\uFFFD",
		"##[add-path]/tmp ###[x]":                                  "# #[add-path]/tmp ## #[x]",
		"tab\tstays, a\u00a0space is one":                          "tab\tstays, a space is one",
	} {
		if got := Neutral(text); got != want {
			t.Errorf("Neutral(%q) is %q, want %q", text, got, want)
		}
	}
}

func TestARunnersCommandIsKnown(t *testing.T) {
	for line, want := range map[string]bool{
		"::error::x": true, "  ::error::x": true, "\u00a0::x": true, "\u200b::x": true, "\x1b::x": true,
		"a ::x": false, "| ::x": false, "": false, ":": false, "é::x": false,
	} {
		if got := Obeyed(line); got != want {
			t.Errorf("Obeyed(%q) is %v", line, got)
		}
	}
}

func TestAClipIsToldAndFits(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{Line("abcdefgh", 8), "abcdefgh"},
		{Line("abcdefghi", 8), "abcde…"},
		{Line("abcd efghi", 8), "abcd…"},
		{Tail("abcdefghi", 8), "…efghi"},
		{Line("<<<<", 12), "<…"},
		{Line("ééééé", 8), "éé…"},
		{Line(strings.Repeat("x", 700_000), 8), "…"},
		{Line("a "+strings.Repeat("x", 700_000), 8), "a…"},
		{Line("abcdefghi", 2), ""},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

func TestTheLastLinesAreTheEnd(t *testing.T) {
	for _, text := range []string{
		"", "\n", "a\n", strings.Repeat("ä", 4096), "x\xff" + strings.Repeat("line\n", 99),
		strings.Repeat("word ", 100_000),
	} {
		got := LastLines(text, 20, 4096)
		if Size(got) > 4096 || strings.Count(got, "\n") >= 20 || !utf8.ValidString(got) {
			t.Errorf("of %d bytes: %d bytes, %d line ends", len(text), len(got), strings.Count(got, "\n"))
		}
		if end := strings.TrimRight(text, "\n"); !strings.HasSuffix(got, end[max(0, len(end)-2):]) {
			t.Errorf("%q is not the end of %q", got, text)
		}
	}
	if got := LastLines("one\ntwo\nthree\nfour\n\n", 2, 4096); got != "three\nfour" {
		t.Errorf("the last two lines are %q", got)
	}
}

// The lines that are left out may include the line that identifies a key: one line of it
// alone has no shape.
func TestTheLastLinesOfAKeyAreMasked(t *testing.T) {
	key := secrets(rand.New(rand.NewPCG(6, 7)))["private key"]
	text := key.text[:strings.Index(key.text, "\n")+1] + key.hidden + "\nand more\n"
	if got := LastLines(text, 2, 4096); survives(got, key.hidden) {
		t.Errorf("the last lines are %q", got)
	}
}

// Of a long text only a bounded part is examined: a rule that would mask all of it, given
// the whole text, changes nothing.
func TestALongTextTakesNoLongTime(t *testing.T) {
	for _, part := range []string{
		"a", "PASSWORD=", "-----BEGIN PRIVATE KEY-----", "://a:", "\"password\":\"", "eyJ.", "\x1b]", "Bearer ",
		"token: \n", "\\\"", strings.Repeat("A", 64) + "\n",
	} {
		text := strings.Repeat(part, 4<<20/len(part))
		if got := Line(text, 1024); Size(got) > 1024 {
			t.Errorf("%q…: %d bytes", part, Size(got))
		}
	}
	long := strings.Repeat("word\n", 1<<20)
	for how, got := range map[string]string{
		"Line":  Line("begin "+long+"-----END PRIVATE KEY-----", 1024),
		"Block": Block("begin "+long+"-----END PRIVATE KEY-----", 1024),
	} {
		if !strings.HasPrefix(got, "begin word") {
			t.Errorf("%s reads a long text to its end: %.40q", how, got)
		}
	}
	if got := Tail("-----BEGIN PRIVATE KEY-----\n"+long+"end", 1024); !strings.HasSuffix(got, "word\nend") {
		t.Errorf("Tail reads a long text from its beginning: %.40q", got)
	}
}

func FuzzProse(f *testing.F) {
	r := rand.New(rand.NewPCG(3, 4))
	for name, s := range secrets(r) {
		f.Add(name+" ", s.text, "\nand more", 200)
	}
	f.Add("PASSWORD=", "***", "…", 11)
	f.Add("\x1b\x1b[0m[2J", "##[", "::", 5)
	f.Add("Authorization:…", "\"token\": \"*…", "<&>\u2028", 30)
	f.Fuzz(func(t *testing.T, before, text, after string, limit int) {
		if limit < 0 || limit > 1<<16 {
			return
		}
		all := before + text + after
		for name, fit := range map[string]func(string, int) string{"Line": Line, "Block": Block, "Tail": Tail} {
			got := fit(all, limit)
			stored, err := json.Marshal(got)
			if err != nil || len(stored)-2 > limit || !utf8.ValidString(got) {
				t.Errorf("%s(%q, %d) is %q, which takes %d bytes (%v)", name, all, limit, got, len(stored)-2, err)
			}
			if again := fit(got, limit); again != got {
				t.Errorf("%s(%q, %d) is %q, and again %q", name, all, limit, got, again)
			}
			if strings.ContainsFunc(got, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }) ||
				strings.Contains(got, "##[") {
				t.Errorf("%s(%q) is obeyed: %q", name, all, got)
			}
			if name == "Line" && strings.ContainsAny(got, "\n\t") {
				t.Errorf("Line(%q) has lines: %q", all, got)
			}
		}
	})
}

// Tokens with a known prefix are masked whatever surrounds them, and wherever the text is
// clipped.
func FuzzASecretInAnyPlace(f *testing.F) {
	f.Add("x", "y", uint64(1), 100)
	f.Add("ghp_", "_", uint64(2), 40)
	f.Add("\"password\": \"", "\"", uint64(3), 60)
	f.Fuzz(func(t *testing.T, before, after string, seed uint64, limit int) {
		if limit < 0 || limit > 1<<16 || len(before)+len(after) > 1<<12 {
			return
		}
		all := secrets(rand.New(rand.NewPCG(seed, 5)))
		for _, name := range []string{
			"github person", "github fine-grained", "google api key", "aws key", "slack bot", "json web token",
			"private key",
		} {
			s := all[name]
			for how, fit := range map[string]func(string, int) string{"Line": Line, "Block": Block, "Tail": Tail} {
				if got := fit(before+s.text+after, limit); survives(got, s.hidden) {
					t.Errorf("%s: %s(%q, %d) is %q", name, how, before+s.text+after, limit, got)
				}
			}
		}
	})
}

func ExampleLine() {
	fmt.Println(Line("\x1b[31mlogin failed\x1b[0m:\n postgres://shop:hunter2@db/shop", 60))
	// Output: login failed: postgres://shop:***@db/shop
}
