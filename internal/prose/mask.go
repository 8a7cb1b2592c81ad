package prose

import (
	"regexp"
	"slices"
	"strings"
)

// Masked stands for a secret.
const Masked = "***"

// A rule masks one shape. Expressions are RE2, so their time grows only in proportion to
// the text, which anybody may write.
type rule struct {
	// hints are words, in lower case: a text without any of them has no such secret.
	// Without hints, a text has such a secret only if it has keyLines.
	hints []string
	find  *regexp.Regexp
	put   string
}

const (
	// mark is a quotation mark as in logs: escaped, perhaps more than once, or encoded.
	mark = `(?:\\*["']|\\*u002[27]|&(?:quot|apos|#0?3[49]|#x2[27]);|%2[27])`

	// quoted is a text in quotation marks, perhaps with Python's prefix, or one that is
	// masked already.
	quoted = `\*\*\*|[bBrRuUfF]{0,2}(?:\\*"(?:[^"\\…]|\\.)*\\*"?|\\*'(?:[^'\\…]|\\.)*\\*'?)`

	// value is what follows a telling name: in quotes, or up to the next space. A clipped
	// value does not count.
	value = `(?:` + quoted + `|[^\s"'=…\[{(,;|<>][^\s…]*)`

	// assigned is a value in a place that can have nothing else.
	assigned = `(?:` + quoted + `|[^\s"'…][^\s…]*)`

	// nested is a value of JSON, with what it has in brackets.
	nested = `(?:` + value + `|\[[^\]…]*\]?|\{[^}…]*\}?)`

	// telling are names whose values are secrets.
	telling = `(?:password|passwd|passphrase|passcode|passwort|kennwort|contrase(?:ñ|n)a|senha|wachtwoord|mot[_-]?de[_-]?passe|pwd|secret|` +
		`token|credentials?|` +
		`(?:api|access|account|private|encryption|signing|session|master|auth|shared|ssh|client|secret|license|webhook|hmac|jwt|subscription|` +
		`deploy)[_-]?key|` +
		`sess(?:ion)?[_-]?id|connect\.sid)`

	// rest is how a name may continue.
	rest = `[A-Za-z0-9_.\-]*`

	// named is the end of a telling name, which may be part of a longer one, or a name with
	// a telling ending. Matching what stands before would cost most, so it is left out.
	named = `(?:` + telling + rest + `|(?:[_\-.]|\b)(?:pass|sig|signature)|[_\-.](?:auth|pw|key))`

	// keyEdge is where a private key begins or ends, for OpenSSL and SSH2.
	keyEdge = ` ?[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)? ?-----?`
)

// keyLines is the size of two lines of a key, which the rule without hints looks for.
const keyLines = 60 + len(" ") + 60

// rules apply in this order.
var rules = []rule{
	// Private keys. Without an end, one reaches to the end of the text; without a
	// beginning, it starts at the beginning of the text.
	{[]string{"private key"}, regexp.MustCompile(`(?s)-{0,5} ?BEGIN` + keyEdge + `.*?(?:-----? ?END` + keyEdge + `|\z)`), Masked},
	{[]string{"private key"}, regexp.MustCompile(`(?s)\A.*-----? ?END` + keyEdge), Masked},
	// The middle of a key: lines of base64 as long as PEM's. A shorter text has no two of them.
	{nil, regexp.MustCompile(`[A-Za-z0-9+/]{60,}(?:[\s|>]+[A-Za-z0-9+/]{60,76})+(?:[\s|>]+[A-Za-z0-9+/]+={0,2})?`), Masked},
	// JSON objects in base64: keys of service accounts, logins of registries.
	{[]string{"eyj", "ewog", "ewoj"}, regexp.MustCompile(`\b(?:eyJ|ewog|ewoJ)[A-Za-z0-9+/]{60,}={0,2}`), Masked},

	// Tokens with a known prefix.
	{[]string{"ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "gl"}, regexp.MustCompile(
		`gh[pousr]_[A-Za-z0-9_]{10,}(?:\.[A-Za-z0-9_\-]+)*|github_pat_[A-Za-z0-9_]{10,}|\bgl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|soat|ffct|` +
			`oas)-[A-Za-z0-9_\-]{10,}`), Masked},
	{[]string{"ya29.", "aiza", "gocspx-", "1//0"}, regexp.MustCompile(
		`ya29\.[A-Za-z0-9_.\-]{10,}|AIza[A-Za-z0-9_\-]{20,}|GOCSPX-[A-Za-z0-9_\-]{10,}|1//0[A-Za-z0-9_\-]{20,}`), Masked},
	// with its secret after it
	{
		[]string{"akia", "asia", "abia", "acca"},
		regexp.MustCompile(`(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12,}(?:[\s,:;|"']{1,4}[A-Za-z0-9/+]{40}\b)?`), Masked,
	},
	{[]string{"xox", "xapp-"}, regexp.MustCompile(`(?:xox[a-z]|xapp)(?:\.[a-z]+)?-[A-Za-z0-9\-%]{10,}`), Masked},
	{[]string{"eyj", "ls0tls1crudj"}, regexp.MustCompile(
		`eyJ[A-Za-z0-9_\-]{6,}\.[A-Za-z0-9_\-]{6,}(?:\.[A-Za-z0-9_\-]*)*|LS0tLS1CRUdJ[A-Za-z0-9+/]{10,}={0,2}`), Masked},
	{
		[]string{"sk-", "sk_live_", "rk_live_", "npm_", "pypi-", "hvs.", "dckr_pat_", "sg.", "dop_v1_", "hf_", "shpat_", "age-secret-key-"},
		regexp.MustCompile(
			`\bsk-[A-Za-z0-9_\-]{20,}|[sr]k_live_[A-Za-z0-9]{10,}|npm_[A-Za-z0-9]{20,}|pypi-[A-Za-z0-9_\-]{20,}|hvs\.[A-Za-z0-9_\-]{10,}|` +
				`dckr_pat_[A-Za-z0-9_\-]{10,}|SG\.[A-Za-z0-9_\-]{16,}\.[A-Za-z0-9_\-]{16,}|dop_v1_[a-f0-9]{20,}|\bhf_[A-Za-z0-9]{20,}|` +
				`shpat_[a-f0-9]{20,}|AGE-SECRET-KEY-1[A-Z0-9]{20,}`), Masked,
	},

	// Addresses: hooks with a secret path, and logins with a password, also with escaped or
	// encoded slashes.
	{[]string{"hooks.slack", "/api/webhooks/", "webhook.office.com/"}, regexp.MustCompile(
		`(hooks\.slack(?:-gov)?\.com/|/api/webhooks/|webhook\.office\.com/)[A-Za-z0-9_/@\-]+`), "${1}" + Masked},
	{[]string{"@"}, regexp.MustCompile(`(\\*/\\*/[^\s:/"'<>…]*:)(?:[^\s/"'<>…]+|"[^\s"…]+"|'[^\s'…]+')@`), "${1}" + Masked + "@"},
	{[]string{"@"}, regexp.MustCompile(`(:\\*/\\*/[^\s:/"'<>…]*:)(?:[0-9]*[^\s0-9/"'<>…][^\s"'<>…]*)@`), "${1}" + Masked + "@"},
	{[]string{"://"}, regexp.MustCompile(`(://)[^\s:/@"'<>…?#]{20,}@`), "${1}" + Masked + "@"},
	{[]string{"%40"}, regexp.MustCompile(`(?i)(%2f%2f[^\s%&]*%3a)[^\s&…]+?%40`), "${1}" + Masked + "%40"},
	{[]string{"@tcp(", "@unix(", "@udp("}, regexp.MustCompile(`([A-Za-z0-9_.+\-]+:)[^\s"'…]+@(tcp|unix|udp)\(`), "${1}" + Masked + "@${2}("},
	{[]string{"@"}, regexp.MustCompile(`\b([A-Za-z0-9_.+\-]+:)[^\s:/@"'<>…]+@([A-Za-z0-9.\-]+:[0-9]{2,5}\b)`), "${1}" + Masked + "@${2}"},
	{[]string{":thin:", ":oci:"}, regexp.MustCompile(`(jdbc:oracle:(?:thin|oci):[^\s/@…]*/)[^\s@…]+@`), "${1}" + Masked + "@"},
	{[]string{"code=", "key="}, regexp.MustCompile(`([?&](?:code=[^\s&…]{0,9}|key=))[^\s&…]+`), "${1}" + Masked},

	// Headers.
	{headers, regexp.MustCompile(`(?i)((?:authorization|cookie)[ \t]*(?:[:=]|->)[ \t]*(?:\n[ \t]+)?)[^\s…][^\n…]*`), "${1}" + Masked},
	{headers, regexp.MustCompile(`(?i)((?:authorization|cookie)` + mark + `\s*(?::|,|=>)\s*\[?\s*)` + value), "${1}" + Masked},
	{
		schemes, regexp.MustCompile(`(?i)(authorization[^\w\n…]{1,12}(?:bearer|basic|digest|token|negotiate|apikey)\s+)[^\s…]+`),
		"${1}" + Masked,
	},
	{
		schemes, regexp.MustCompile(`(?i)\b((?:bearer|basic)\s+)(?:[A-Za-z0-9._~+/\-]{16,}|[A-Za-z]+[0-9][A-Za-z0-9._~+/\-]{6,})=*`),
		"${1}" + Masked,
	},
	{[]string{"-u", "--user"}, regexp.MustCompile(`((?:^|\s)(?:-u|--user|--proxy-user)[ =]*["']?[^\s:"'…]+:)[^\s"'…]+`), "${1}" + Masked},
	{
		logins, regexp.MustCompile(`(\b(?:sshpass|mysql[a-z]*|mariadb[a-z\-]*|redis-cli|(?:docker|podman|helm registry) ` +
			`login)\b[^\n…]*?\s-[pa][ =]?["']?)[^\s"'…]+`), "${1}" + Masked,
	},

	// Values after a telling name: NAME=value, "name": "value", --name value, <name>value,
	// and name: value unless the name is an ordinary word.
	{tells, regexp.MustCompile(`(?i)(` + named + mark + `?\]?(?:\[[^\]\s]*\])?[ \t]*(?:[:?+]?=+>?|->)[ \t]*)` + assigned), "${1}" + Masked},
	{tells, regexp.MustCompile(`(?i)((?:` + named + `|` + mark + `auth)` + mark + `:\s*)` + nested), "${1}" + Masked},
	{tells, regexp.MustCompile(`(?i)((?:` + named + `|` + mark + `auth)` + mark + `\s+:\s*)(?:` + quoted + `)`), "${1}" + Masked},
	{[]string{"',", "\","}, regexp.MustCompile(`(?i)(-` + telling + `["']\s*,\s*)(?:` + quoted + `)`), "${1}" + Masked},
	{
		[]string{"value"},
		regexp.MustCompile(`(?i)(` + named + mark + `?[\s,;]+` + mark + `?value` + mark + `?\s*[:=]\s*)` + assigned),
		"${1}" + Masked,
	},
	{tells, regexp.MustCompile(`(?i)((?:[A-Za-z0-9][_\-.]?` + telling + `|client-key-data)[ \t]*:[ \t]*)` + value), "${1}" + Masked},
	{tells, regexp.MustCompile(`(?i)(\b` + telling + `:)` + value), "${1}" + Masked},
	// not a word of a sentence
	{tells, regexp.MustCompile(`(?i)(\b` + telling + `[ \t]*:[ \t]*)(?:` + quoted + `|[^\s"'…]*[0-9][^\s…]*)`), "${1}" + Masked},
	{tells, regexp.MustCompile(`(?im)(\b` + telling + `[ \t]*:[ \t]*)` + value + `[ \t]*(?:#.*)?$`), "${1}" + Masked},
	// blocks of YAML
	{
		[]string{"\n ", "\n\t"},
		regexp.MustCompile(`(?i)(` + named + mark + `?:[ \t]*[|>][+\-0-9]*[ \t]*\n)[ \t]+[^\n…]+(?:\n[ \t]+[^\n…]+)*`),
		"${1}  " + Masked,
	},
	{
		[]string{"\n ", "\n\t"},
		regexp.MustCompile(`(?im)(` + named + mark + `?:[ \t]*\n[ \t]+)(?:` + quoted + `|[^\s…]*[^\s:…])[ \t]*$`),
		"${1}" + Masked,
	},
	{[]string{"--", " -"}, regexp.MustCompile(`(?i)((?:^|\s)--?[a-z0-9\-]*` + telling + `\s+)[^\s\-…][^\s…]*`), "${1}" + Masked},
	{[]string{"'", "\""}, regexp.MustCompile(`(?i)(\b(?:password|passwd|passphrase)\s+)["'][^\s"'…]+["']`), "${1}" + Masked},
	{[]string{"login"}, regexp.MustCompile(`(?i)(\blogin\s+\S+\s+password\s+)[^\s…]+`), "${1}" + Masked},
	{[]string{"</"}, regexp.MustCompile(`(?i)(` + named + `(?:\s[^<>]*)?>)[^<…]+</`), "${1}" + Masked + "</"},
	{[]string{"%3", "%253"}, regexp.MustCompile(`(?i)(` + telling + `%(?:25)?3[ad](?:%20)?)[^\s&%…][^\s&…]*`), "${1}" + Masked},
}

// Hints of headers, of ways to log in, of programs that take a password as an argument, and
// of telling names.
var (
	headers = []string{"authorization", "cookie"}
	schemes = []string{"bearer", "basic", "authorization"}
	logins  = []string{"sshpass", "mysql", "mariadb", "redis-cli", "login"}
	tells   = []string{
		"pass", "pwd", "secret", "token", "credential", "key", "auth", "sig", "pw", "kennwort", "contrase", "senha",
		"wachtwoord", "sess", "sid",
	}
)

// rounds bounds how often a text is masked: one rule's result may match another rule.
const rounds = 4

// Mask replaces secrets of known shapes. Anybody may have written the text.
func Mask(s string) string {
	for range rounds {
		masked := maskOnce(s)
		if masked == s {
			break
		}
		s = masked
	}
	return s
}

func maskOnce(s string) string {
	lower := strings.ToLower(s)
	for _, r := range rules {
		if r.hints == nil && len(s) >= keyLines || slices.ContainsFunc(r.hints, func(hint string) bool { return strings.Contains(lower, hint) }) {
			s = r.find.ReplaceAllString(s, r.put)
		}
	}
	return s
}
