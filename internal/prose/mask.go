package prose

import (
	"regexp"
	"slices"
	"strings"
)

// Masked stands for a secret.
const Masked = "***"

// A rule masks one shape. Expressions are RE2, so that a text of anybody's takes a
// time that grows with it and no faster.
type rule struct {
	// hints: a text that has none of them, in small letters, has no such secret. No
	// hints: it is always looked at.
	hints []string
	find  *regexp.Regexp
	put   string
}

const (
	// value is what stands behind a telling name: in quotes, or up to the next space.
	// Neither what is masked nor what is clipped is one.
	value = `(?:` + quoted + `|[^\s"'=…\[{(,;|<>][^\s…]*)`

	quoted = `\*\*\*|\\?"(?:[^"\\…]|\\.)*\\?"?|\\?'(?:[^'\\…]|\\.)*\\?'?`

	// telling are names whose values are secrets.
	telling = `(?:password|passwd|passphrase|passcode|pwd|secret|token|credentials?|` +
		`(?:api|access|account|private|encryption|signing|session|master|auth|shared|ssh|client|secret|license|webhook|hmac|jwt)[_-]?key)`

	// named is such a name as part of a longer one, or one that tells by its ending.
	named = `(?:[A-Za-z0-9_.\-]*` + telling + `[A-Za-z0-9_.\-]*|[A-Za-z0-9_.\-]*[_\-.](?:pass|auth|pw|key|sig|signature)|pass|sig|signature)`

	keyEdge = ` [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----`
)

// rules, in their order.
var rules = []rule{
	// Private keys; one whose end is missing reaches to the end of the text, one
	// whose beginning is missing from the beginning of the text.
	{[]string{"private key"}, regexp.MustCompile(`(?s)-{0,5}BEGIN` + keyEdge + `.*?(?:-----END` + keyEdge + `|\z)`), Masked},
	{[]string{"private key"}, regexp.MustCompile(`(?s)\A.*-----END` + keyEdge), Masked},
	// The middle of one: lines of base64 as long as PEM makes them.
	{nil, regexp.MustCompile(`[A-Za-z0-9+/]{60,}(?:[\s|>]+[A-Za-z0-9+/]{60,76})+(?:[\s|>]+[A-Za-z0-9+/]+={0,2})?`), Masked},

	// Tokens that tell by themselves.
	{[]string{"ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-"}, regexp.MustCompile(
		`gh[pousr]_[A-Za-z0-9_]{10,}(?:\.[A-Za-z0-9_\-]+)*|github_pat_[A-Za-z0-9_]{10,}|glpat-[A-Za-z0-9_\-]{10,}`), Masked},
	{[]string{"ya29.", "aiza", "gocspx-", "1//0"}, regexp.MustCompile(
		`ya29\.[A-Za-z0-9_.\-]{10,}|AIza[A-Za-z0-9_\-]{20,}|GOCSPX-[A-Za-z0-9_\-]{10,}|1//0[A-Za-z0-9_\-]{20,}`), Masked},
	{[]string{"akia", "asia", "abia", "acca"}, regexp.MustCompile(`(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12,}`), Masked},
	{[]string{"xox", "xapp-"}, regexp.MustCompile(`(?:xox[a-z]|xapp)(?:\.[a-z]+)?-[A-Za-z0-9\-]{10,}`), Masked},
	{[]string{"eyj", "ls0tls1crudj"}, regexp.MustCompile(
		`eyJ[A-Za-z0-9_\-]{6,}\.[A-Za-z0-9_\-]{6,}(?:\.[A-Za-z0-9_\-]*)*|LS0tLS1CRUdJ[A-Za-z0-9+/]{10,}={0,2}`), Masked},
	{[]string{"sk-", "sk_live_", "rk_live_", "npm_", "pypi-", "hvs.", "dckr_pat_", "sg.", "dop_v1_"}, regexp.MustCompile(
		`\bsk-[A-Za-z0-9_\-]{20,}|[sr]k_live_[A-Za-z0-9]{10,}|npm_[A-Za-z0-9]{20,}|pypi-[A-Za-z0-9_\-]{20,}|hvs\.[A-Za-z0-9_\-]{10,}|` +
			`dckr_pat_[A-Za-z0-9_\-]{10,}|SG\.[A-Za-z0-9_\-]{16,}\.[A-Za-z0-9_\-]{16,}|dop_v1_[a-f0-9]{20,}`), Masked},

	// Addresses: hooks whose path is the secret, and who goes in by which password.
	{[]string{"hooks.slack.com/", "/api/webhooks/", "webhook.office.com/"}, regexp.MustCompile(
		`(hooks\.slack\.com/|/api/webhooks/|webhook\.office\.com/)[A-Za-z0-9_/@\-]+`), "${1}" + Masked},
	{[]string{"://"}, regexp.MustCompile(`(://[^\s:/@"'<>]*:)[^\s/"'<>…]+@`), "${1}" + Masked + "@"},
	{[]string{"://"}, regexp.MustCompile(`(://[^\s:/@"'<>]*:)(?:[0-9]*[^\s0-9/"'<>…][^\s"'<>…]*)@`), "${1}" + Masked + "@"},
	{[]string{"://"}, regexp.MustCompile(`(://)[^\s:/@"'<>…?#]{20,}@`), "${1}" + Masked + "@"},

	// Headers.
	{headers, regexp.MustCompile(`(?i)((?:authorization|cookie)[ \t]*[:=][ \t]*)[^\s…][^\n…]*`), "${1}" + Masked},
	{headers, regexp.MustCompile(`(?i)((?:authorization|cookie)\\?["']\s*(?::|,|=>)\s*\[?\s*)` + value), "${1}" + Masked},
	{[]string{"bearer"}, regexp.MustCompile(`(?i)\b(bearer\s+)[A-Za-z0-9._~+/\-]{16,}=*`), "${1}" + Masked},
	{[]string{"-u", "--user"}, regexp.MustCompile(`((?:^|\s)(?:-u|--user|--proxy-user)[ =]*["']?[^\s:"'…]+:)[^\s"'…]+`), "${1}" + Masked},

	// Values behind a name that tells: NAME=value, "name": "value", name: value at
	// least where the name is no ordinary word, --name value.
	{tells, regexp.MustCompile(`(?i)(` + named + `\\?["']?[ \t]*(?:=|:=|=>)[ \t]*)` + value), "${1}" + Masked},
	{tells, regexp.MustCompile(`(?i)(\\?["'](?:` + named + `|auth)\\?["']:\s*)` + value), "${1}" + Masked},
	{tells, regexp.MustCompile(`(?i)((?:[A-Za-z0-9][_\-.]?` + telling + `|client-key-data)[ \t]*:[ \t]*)` + value), "${1}" + Masked},
	{tells, regexp.MustCompile(`(?i)(\b` + telling + `:)` + value), "${1}" + Masked},
	{tells, regexp.MustCompile(`(?i)(\b` + telling + `[ \t]*:[ \t]*)(?:` + quoted + `|[^\s"'…]*[0-9][^\s…]*)`), "${1}" + Masked}, // no word of a sentence
	{tells, regexp.MustCompile(`(?im)(\b` + telling + `[ \t]*:[ \t]*)` + value + `[ \t]*(?:#.*)?$`), "${1}" + Masked},
	{tells, regexp.MustCompile(`(?i)((?:^|\s)--?[a-z0-9\-]*` + telling + `\s+)[^\s\-…][^\s…]*`), "${1}" + Masked},
}

// headers and tells are the hints of headers and of telling names.
var headers = []string{"authorization", "cookie"}

var tells = []string{"pass", "pwd", "secret", "token", "credential", "key", "auth", "sig", "pw"}

// rounds bounds how often a text is masked: what a rule leaves may be another's.
const rounds = 4

// Mask replaces secrets of known shapes. The text may be anybody's.
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
		if r.hints == nil || slices.ContainsFunc(r.hints, func(hint string) bool { return strings.Contains(lower, hint) }) {
			s = r.find.ReplaceAllString(s, r.put)
		}
	}
	return s
}
