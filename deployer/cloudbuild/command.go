package cloudbuild

import (
	"path"
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

// utilities do nothing to a cluster, whatever they are told.
var utilities = strings.Fields(`echo printf cat cp mv mkdir rm rmdir ls cd pwd test [ true false : sed awk grep egrep tr head tail sort
	uniq cut wc date sleep export set unset read wait exit return shift local declare readonly git curl wget tar unzip zip gzip gunzip jq yq
	envsubst tee touch chmod chown ln find basename dirname id whoami hostname uname which type hash diff cmp stat du df seq expr let printenv
	apt-get apt apk yum dnf pip pip3 gsutil bq firebase openssl base64 sha256sum md5sum kustomize cosign trivy syft grype pushd popd alias
	shopt
	ulimit umask getopts break continue mktemp xxd file install
	kubeval kubeconform kube-score kube-linter kubesec kubeseal kubent pluto polaris conftest helm-docs datree checkov kustomize-sops ytt
	kbld imgpkg`)

// deployers change clusters, and what their commands do is not known here.
var deployers = strings.Fields("flux istioctl werf kluctl tilt devspace garden okteto tk spin waypoint velero ct nomos kn kots")

// suggests is what speaks of deploying.
var suggests = regexp.MustCompile(`(?i)deploy|roll-?out|kube|k8s|helm|argo-?cd|terraform|pulumi|ansible|blue-?green|cut-?over|go-?live`)

// versioned is what some images add to the name of a program: helm3, kubectl.1.29.
var versioned = regexp.MustCompile(`^(kubectl|oc|helm|helmfile|kustomize|skaffold|argocd)[-_.]?v?[0-9][0-9.]*$`)

// programOf is the program that a word names.
func programOf(text string) string { return versioned.ReplaceAllString(path.Base(text), "$1") }

// run looks at one command.
func (s *sight) run(argv []word, in input) {
	direct := true // the shell itself runs it
	for range 32 {
		for len(argv) > 0 && assignment.MatchString(argv[0].text) {
			argv = argv[1:]
		}
		if len(argv) == 0 {
			return
		}
		if f := s.functions[argv[0].text]; f != nil && direct {
			s.call(f, given(argv[1:]))
			return
		}
		tool := programOf(argv[0].text)
		if alias, ok := s.aliases[tool]; ok && argv[0].text == tool {
			if argv = slices.Concat(plainWords(strings.Fields(alias)), argv[1:]); len(argv) == 0 {
				return
			}
			tool = programOf(argv[0].text)
		}
		w, ok := wrappers[tool]
		if !ok || tool == "env" && s.splits(argv, in) {
			s.tool(tool, argv, in)
			return
		}
		if tool == "command" && len(argv) > 1 && strings.HasPrefix(argv[1].text, "-") && strings.ContainsAny(argv[1].text, "vV") {
			return
		}
		if argv, direct = w.unwrap(tool, argv[1:]), false; tool == "parallel" && len(argv) == 0 {
			s.cannotSee("runs commands that it reads")
		}
	}
}

func plainWords(texts []string) []word {
	words := make([]word, len(texts))
	for i, text := range texts {
		words[i] = word{text: text, known: true}
	}
	return words
}

// takesNext tells that an option's value is the next word: that of an option by
// itself, or of the last one of several that are written together, such as -nu.
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

// perItem is the command that xargs or parallel runs for what it reads, which is
// not known: in the place of a mark, or after the other words.
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
	if name == "parallel" { // a shell runs it
		text, _ := joined(out)
		return append(plainWords([]string{"sh", "-c"}), word{text: text})
	}
	return out
}

// splits follows env -S, which splits a text into a command.
func (s *sight) splits(argv []word, in input) bool {
	for i, arg := range argv[1:] {
		for _, flag := range []string{"-S", "--split-string", "-vS", "-iS"} {
			var rest []word
			switch {
			case arg.text == flag && i+2 < len(argv):
				rest = slices.Concat(plainWords(strings.Fields(argv[i+2].text)), argv[i+3:])
			case strings.HasPrefix(arg.text, flag+"=") || flag == "-S" && strings.HasPrefix(arg.text, flag):
				rest = slices.Concat(plainWords(strings.Fields(strings.TrimPrefix(strings.TrimPrefix(arg.text, flag), "="))), argv[i+2:])
			default:
				continue
			}
			s.run(rest, in)
			return true
		}
		if !strings.HasPrefix(arg.text, "-") {
			return false
		}
	}
	return false
}

// tool looks at a command without what was before it.
func (s *sight) tool(tool string, argv []word, in input) {
	args := argv[1:]
	if s.told != nil {
		for _, arg := range args {
			s.told(arg.text)
		}
	}
	s.pushing(tool, args)
	switch {
	case tool == "env": // followed by splits
	case !argv[0].known && strings.ContainsAny(tool, "$`<…"):
		s.cannotSee("runs " + variableName(argv[0].text) + ", which is known only when the step runs")
	case slices.Contains(shells, tool):
		s.shell(args, in)
	case tool == "eval":
		text, _ := joined(args)
		s.script(text)
	case tool == "trap" && len(args) > 1 && args[0].text != "-":
		s.perhaps++
		s.script(args[0].text)
		s.perhaps--
	case tool == "shift" || tool == "set":
		s.positional(tool, args)
	case tool == "su" || tool == "runuser" || tool == "script":
		s.su(argv, in)
	case tool == "." || tool == "source":
		s.scriptFile(args, in)
	case tool == "find":
		s.find(args, in)
	case tool == "gcloud":
		s.gcloud(args)
	case tool == "docker" || tool == "podman":
		s.docker(argv)
	case tool == "git" || tool == "curl" || tool == "wget":
		s.elsewhere(tool, args)
	case s.files[fileName(argv[0].text)] != "":
		s.scriptFile(argv, in)
	case imageMaker(tool):
		s.builds = true
		s.others = note(s.others, called(argv))
		if tool == "bazel" && suggests.MatchString(text(argv)) {
			s.cannotSee("runs " + called(argv))
		}
		if command := firstKnown(args, nil); tool == "ko" && slices.Contains([]string{"apply", "create", "run", "delete"}, command) {
			s.change(`runs "ko ` + command + `"`)
		}
	case clusterTools[tool].known:
		s.cluster(tool, args)
	case slices.Contains(utilities, tool):
	default:
		s.other(argv, in)
	}
}

// other is a program that nothing is known of. What it is given after "--" is often
// a command that it runs.
func (s *sight) other(argv []word, in input) {
	tool := path.Base(argv[0].text)
	if end := slices.IndexFunc(argv, func(w word) bool { return w.text == "--" }); end >= 0 && isCommand(argv[end+1:]) && tool != "ssh" &&
		!slices.Contains(runners, tool) {
		s.run(argv[end+1:], in)
		return
	}
	s.others = note(s.others, called(argv))
	s.loads = true // as far as is known
	if s.suspect || slices.Contains(deployers, tool) || suggests.MatchString(text(argv)) || suggests.MatchString(in.text) {
		s.cannotSee("runs " + called(argv))
	}
}

// text is a command as it is written.
func text(argv []word) string {
	out, _ := joined(argv)
	return out
}

// writesTo are options of curl and wget that send something.
var writesTo = regexp.MustCompile(`^(?:-[a-zA-Z]*[XdTF].*|--(?:request|method|data|post|json|form|upload|body).*)$`)

// elsewhere are commands by which something else may change a cluster: a push to a
// repository that is deployed from, and a request to a deploying service.
func (s *sight) elsewhere(tool string, args []word) {
	if tool == "git" {
		if words := operands(args, []string{"-C", "-c", "--git-dir", "--work-tree"}); len(words) > 0 && words[0].text == "push" &&
			(s.suspect || s.speaks) {
			s.cannotSee(`runs "git push", by which something else may deploy`)
		}
		return
	}
	sends := slices.ContainsFunc(args, func(w word) bool { return writesTo.MatchString(w.text) })
	if sends && slices.ContainsFunc(args, func(w word) bool {
		return strings.Contains(w.text, "://") && !strings.ContainsAny(w.text, "{\" ") && suggests.MatchString(w.text)
	}) {
		s.cannotSee(`runs "` + tool + `", by which something else may deploy`)
	}
}

// scriptFile is a script of the repository, or of the image.
func (s *sight) scriptFile(args []word, in input) {
	if len(args) == 0 {
		return
	}
	if body := s.files[fileName(args[0].text)]; body != "" {
		if slices.Contains(shells, interpreter(body)) {
			s.child(body, args[1:])
			return
		}
		in.text += body
	}
	if !args[0].known {
		s.cannotSee("runs a script that is known only when the step runs")
		return
	}
	s.other(args, in)
}

// su runs what stands after -c, and so do runuser and script.
func (s *sight) su(argv []word, in input) {
	args := argv[1:]
	for i, arg := range args {
		command, given := strings.CutPrefix(arg.text, "--command=")
		if isLast := strings.HasPrefix(arg.text, "-") && !strings.HasPrefix(arg.text, "--") &&
			strings.HasSuffix(arg.text, "c"); (isLast || arg.text == "--command") && i+1 < len(args) {
			command, given = args[i+1].text, true
		}
		if given {
			s.child(command, nil)
			return
		}
	}
	if argv[0].text == "su" {
		s.shell(nil, in)
		return
	}
	s.other(argv, in)
}

// find runs what stands after -exec.
func (s *sight) find(args []word, in input) {
	for {
		exec := slices.IndexFunc(args, func(w word) bool { return slices.Contains([]string{"-exec", "-execdir", "-ok", "-okdir"}, w.text) })
		if exec < 0 {
			return
		}
		args = args[exec+1:]
		end := slices.IndexFunc(args, func(w word) bool { return w.text == ";" || w.text == "+" })
		if end < 0 {
			end = len(args)
		}
		s.run(args[:end], in)
		args = args[end:]
	}
}

// docker builds images; what a container runs is that container's.
func (s *sight) docker(argv []word) {
	words := operands(argv[1:],
		[]string{"--config", "-c", "--context", "-H", "--host", "-l", "--log-level", "-f", "--file", "-p", "--project-name"})
	if len(words) == 0 {
		return
	}
	switch words[0].text {
	case "build", "push", "buildx", "bake":
		s.builds = true
		s.loads = s.loads || !isSet(argv, "--push") && !pushesOutput(argv)
	case "load", "tag", "pull", "import", "commit", "image":
		s.loads = true
	case "run", "exec", "compose":
		s.loads = true
		if suggests.MatchString(quoted(argv)) {
			s.cannotSee("runs " + quoted([]word{argv[0], words[0]}))
		}
	}
}

func imageMaker(tool string) bool {
	return slices.Contains([]string{"buildah", "kaniko", "executor", "pack", "ko", "bazel", "img", "buildctl", "crane", "jib", "nixpacks"},
		tool)
}

// operands are the words that are neither options nor the values of those that
// take the next word.
func operands(args []word, values []string) []word {
	var out []word
	for i := 0; i < len(args); i++ {
		if !strings.HasPrefix(args[i].text, "-") {
			out = append(out, args[i])
		} else if slices.Contains(values, args[i].text) {
			i++
		}
	}
	return out
}

// runners are programs whose first argument says what they do.
var runners = strings.Fields("make npm yarn pnpm npx bun task just rake bundle go mvn gradle ./gradlew gradlew ant bazel python python3 " +
	"node ruby terraform pulumi ansible-playbook " +
	"docker podman crane pack ko buildah helmsman invoke poetry tox nox cargo dotnet sbt")

// called is a command as messages write it: its name, and what a runner is told,
// for any other argument may be a secret.
func called(argv []word) string {
	if len(argv) > 1 && slices.Contains(runners, path.Base(argv[0].text)) {
		return quoted(argv[:2])
	}
	return quoted(argv[:1])
}

var plainVariable = regexp.MustCompile(`^\$\{?[A-Za-z_][A-Za-z0-9_]*\}?$`)

// variableName is a command that a variable holds.
func variableName(text string) string {
	if plainVariable.MatchString(text) {
		return text
	}
	return "a command that it puts together"
}

// quoted is a command in quotes, in one line.
func quoted(argv []word) string {
	texts := make([]string, 0, len(argv))
	for _, w := range argv {
		texts = append(texts, clipped(strings.Join(strings.Fields(w.text), " ")))
	}
	return `"` + strings.Join(texts, " ") + `"`
}
