package cloudbuild

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// run looks at one command.
func (s *sight) run(argv []word, in input) {
	direct := true // run by the shell itself
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

// splits follows env -S, which splits a string into a command.
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

// tool looks at a command without its wrappers.
func (s *sight) tool(tool string, argv []word, in input) {
	args := argv[1:]
	if s.scope.told != nil {
		for _, arg := range args {
			s.scope.told(arg.text)
		}
	}
	s.pusher.pushing(tool, args, s.scope.vars)
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
		s.scope.perhaps++
		s.script(args[0].text)
		s.scope.perhaps--
	case tool == "shift" || tool == "set":
		s.scope.positional(tool, args)
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

// other looks at an unknown program. The words after "--" are often a command that it runs.
func (s *sight) other(argv []word, in input) {
	tool := path.Base(argv[0].text)
	if end := slices.IndexFunc(argv, func(w word) bool { return w.text == "--" }); end >= 0 && isCommand(argv[end+1:]) && tool != "ssh" &&
		!slices.Contains(runners, tool) {
		s.run(argv[end+1:], in)
		return
	}
	s.others = note(s.others, called(argv))
	s.loads = true // it may
	if s.suspect || slices.Contains(deployers, tool) || suggests.MatchString(text(argv)) || suggests.MatchString(in.text) {
		s.cannotSee("runs " + called(argv))
	}
}

// writesTo matches the options with which curl and wget send something.
var writesTo = regexp.MustCompile(`^(?:-[a-zA-Z]*[XdTF].*|--(?:request|method|data|post|json|form|upload|body).*)$`)

// elsewhere looks at commands that may make something else change a cluster: a push to a
// repository that deploys, and a request to a deploying service.
func (s *sight) elsewhere(tool string, args []word) {
	if tool == "git" {
		if words := operands(args, []string{"-C", "-c", "--git-dir", "--work-tree"}); len(words) > 0 && words[0].text == "push" &&
			(s.suspect || s.speaks) {
			s.cannotSee(`runs "git push", which may make something else deploy`)
		}
		return
	}
	sends := slices.ContainsFunc(args, func(w word) bool { return writesTo.MatchString(w.text) })
	if sends && slices.ContainsFunc(args, func(w word) bool {
		return strings.Contains(w.text, "://") && !strings.ContainsAny(w.text, "{\" ") && suggests.MatchString(w.text)
	}) {
		s.cannotSee(`runs "` + tool + `", which may make something else deploy`)
	}
}

// scriptFile looks at a script of the repository, or of the image.
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

// su runs the command after -c; so do runuser and script.
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

// find runs the command after -exec.
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

// docker builds images. What runs inside a container is not followed.
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

var plainVariable = regexp.MustCompile(`^\$\{?[A-Za-z_][A-Za-z0-9_]*\}?$`)

// variableName names a command that comes from a variable.
func variableName(text string) string {
	if plainVariable.MatchString(text) {
		return text
	}
	return "a command that it assembles"
}

// isCommand reports whether a step's first argument is a known command.
func isCommand(argv []word) bool {
	if len(argv) == 0 {
		return false
	}
	tool := programOf(argv[0].text)
	_, wraps := wrappers[tool]
	return wraps || clusterTools[tool].known || tool == "gcloud" || tool == "docker" || slices.Contains(shells, tool) ||
		slices.Contains(utilities, tool)
}
