package cloudbuild

import (
	"regexp"
	"slices"
	"strings"
)

// wrapper is a program that runs the command after its own options.
type wrapper struct {
	// values are its options that take the next word.
	values []string
	// operands are its own words before the command.
	operands int
}

// wrappers, by name (their manual pages).
var wrappers = map[string]wrapper{
	"sudo": {values: []string{
		"-u", "-g", "-h", "-p", "-C", "-r", "-t", "-T", "-U", "-D", "-R", "--user", "--group", "--host", "--prompt",
		"--close-from", "--role", "--type", "--chdir", "--chroot", "--command-timeout",
	}},
	"doas":    {values: []string{"-u", "-C"}},
	"env":     {values: []string{"-u", "-C", "--unset", "--chdir"}},
	"timeout": {values: []string{"-k", "-s", "--kill-after", "--signal"}, operands: 1},
	"nice":    {values: []string{"-n", "--adjustment"}},
	"ionice":  {values: []string{"-c", "-n", "-p", "--class", "--classdata"}},
	"stdbuf":  {values: []string{"-i", "-o", "-e"}},
	"time":    {values: []string{"-f", "-o", "--format", "--output"}},
	"exec":    {values: []string{"-a"}},
	"xargs": {values: []string{
		"-n", "-L", "-I", "-P", "-s", "-d", "-E", "-a", "--max-args", "--max-procs", "--max-lines", "--max-chars",
		"--delimiter", "--arg-file",
	}},
	"parallel": {values: []string{"-j", "--jobs", "-n", "-a", "--delay", "--retries", "--timeout"}},
	"watch":    {values: []string{"-n", "--interval"}},
	"flock":    {values: []string{"-w", "-E", "--timeout"}, operands: 1},
	"chroot":   {values: []string{"--userspec", "--groups"}, operands: 1},
	"strace":   {values: []string{"-o", "-e", "-p", "-s"}},
	"taskset":  {values: []string{"-c", "--cpu-list"}, operands: 1},
	"setpriv":  {values: []string{"--reuid", "--regid", "--groups"}},
	"unshare":  {values: []string{"-R", "-w", "-S", "-G"}},
	"nsenter":  {values: []string{"-t", "--target"}},
	"gosu":     {operands: 1},
	"su-exec":  {operands: 1},
	"command":  {}, "builtin": {}, "nohup": {}, "setsid": {}, "unbuffer": {}, "busybox": {}, "tini": {}, "dumb-init": {}, "retry": {},
	"then": {}, "!": {}, "chronic": {}, "catchsegv": {}, "caffeinate": {},
}

var assignment = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*=`)

// takesNext reports whether the next word is the option's value: the option takes one,
// or the last of several short ones written together does, such as -nu.
func takesNext(values []string, flag string) bool {
	if slices.Contains(values, flag) {
		return true
	}
	if strings.HasPrefix(flag, "--") {
		return false
	}
	for i := 1; i < len(flag); i++ {
		if slices.Contains(values, "-"+flag[i:i+1]) {
			return i == len(flag)-1
		}
	}
	return false
}

// unwrap is the command that a wrapper runs.
func (w wrapper) unwrap(name string, args []word) []word {
	all := args
	for len(args) > 0 && len(args[0].text) > 1 && args[0].text[0] == '-' {
		flag := args[0].text
		args = args[1:]
		if flag == "--" {
			break
		}
		if takesNext(w.values, flag) && len(args) > 0 {
			args = args[1:]
		}
		if name == "flock" && flag == "-c" { // flock FILE -c COMMAND never gets here
			break
		}
	}
	for range w.operands {
		for len(args) > 0 && assignment.MatchString(args[0].text) {
			args = args[1:]
		}
		if len(args) > 0 {
			args = args[1:]
		}
	}
	if name == "flock" && len(args) > 0 && (args[0].text == "-c" || args[0].text == "--command") {
		args = slices.Concat(plainWords([]string{"sh"}), args)
	}
	if (name == "xargs" || name == "parallel") && len(args) > 0 {
		return perItem(name, all[:len(all)-len(args)], args)
	}
	return args
}

// perItem is the command that xargs or parallel runs for each item. The item is unknown; it
// replaces a mark, or follows the other words.
func perItem(name string, options, args []word) []word {
	mark := ""
	if name == "parallel" {
		mark = "{}"
		if end := slices.IndexFunc(args, func(w word) bool { return strings.HasPrefix(w.text, ":::") }); end >= 0 {
			args = args[:end]
		}
	}
	for i, o := range options {
		value, ok := strings.CutPrefix(o.text, "--replace=")
		switch letter := strings.IndexByte(o.text, 'I'); {
		case name != "xargs":
		case ok:
			mark = value
		case o.text == "-i" || o.text == "--replace":
			mark = "{}"
		case strings.HasPrefix(o.text, "--") || !strings.HasPrefix(o.text, "-") || letter < 0:
		case letter == len(o.text)-1 && i+1 < len(options):
			mark = options[i+1].text
		default:
			mark = o.text[letter+1:]
		}
	}
	out := slices.Clone(args)
	if mark == "" {
		return append(out, word{text: "…"})
	}
	for i, w := range out {
		if strings.Contains(w.text, mark) && len(w.text) < maxScript/4 {
			out[i] = word{text: strings.ReplaceAll(w.text, mark, "$0")}
		}
	}
	if name == "parallel" { // parallel runs it in a shell
		text, _ := joined(out)
		return append(plainWords([]string{"sh", "-c"}), word{text: text})
	}
	return out
}
