package scaffold

import (
	"cmp"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Python is a program in Python.
type Python struct {
	// Requirements and Package say what installs it: requirements.txt, and a pyproject.toml or
	// setup.py.
	Requirements, Package bool
	// Version of Python, such as 3.12.
	Version string
	// Web is the command of its Procfile that serves the web; "" if there is none.
	Web string
	// Apps are what a server may load, such as app:app.
	Apps []App
	// uses are packages that its files of dependencies name.
	uses map[string]bool
}

// App is an application object that a server loads.
type App struct {
	// Name as servers take it: MODULE:NAME.
	Name string
	// Async: it speaks ASGI, and not WSGI.
	Async bool
}

const defaultPython = "3.13"

var (
	constructed = regexp.MustCompile(`(?m)^([A-Za-z_]\w*)\s*(?::[^=\n]+)?=\s*(?:\w+\.)?(Flask|FastAPI|Starlette|Quart|Litestar)\(`)
	factory     = regexp.MustCompile(`(?m)^def (create_app|make_app)\(\s*\)`)
	djangoApp   = regexp.MustCompile(`(?m)^application\s*=\s*get_(wsgi|asgi)_application\(`)
	routed      = regexp.MustCompile(`["'](/?(?:healthz|readyz|livez|health|ready|_health|status/health))/?["']`)
	pythonInDot = regexp.MustCompile(`^(?:python-)?(3\.\d{1,2})`)
	pythonInTom = regexp.MustCompile(`(?m)^\s*requires-python\s*=\s*["'][>=~^ ]*(3\.\d{1,2})`)
	packages    = []string{"gunicorn", "uvicorn", "hypercorn", "flask", "django", "fastapi", "starlette", "quart", "litestar"}
)

// readPython finds a program in Python and how it is started.
func (s *Source) readPython() error {
	p := &Python{Version: defaultPython, uses: map[string]bool{}}
	var all strings.Builder
	for _, name := range []string{"requirements.txt", "pyproject.toml", "setup.py", "setup.cfg"} {
		text, found, err := read(s.Folder, name)
		if err != nil {
			return err
		}
		all.WriteString(text + "\n")
		p.Requirements = p.Requirements || found && name == "requirements.txt"
		p.Package = p.Package || found && (name == "setup.py" || name == "pyproject.toml" && installs(text))
	}
	dependencies := all.String()
	for _, name := range packages {
		p.uses[name] = regexp.MustCompile(`(?mi)(^|["'\s,])` + name + `\b`).MatchString(dependencies)
	}
	if err := p.readVersion(s.Folder, dependencies); err != nil {
		return err
	}
	procfile, _, err := read(s.Folder, "Procfile")
	if err != nil {
		return err
	}
	if m := regexp.MustCompile(`(?m)^web:\s*(.+?)\s*$`).FindStringSubmatch(procfile); m != nil {
		p.Web = m[1]
	}
	if err := s.readPrograms(p); err != nil {
		return err
	}
	if p.Requirements || p.Package || p.Web != "" || len(p.Apps) > 0 {
		s.Python = p
	}
	return nil
}

// installs reports whether a pyproject.toml describes a package that pip can install, and does
// not only configure tools.
func installs(pyproject string) bool {
	return regexp.MustCompile(`(?m)^\s*\[(project|tool\.poetry)\]`).MatchString(pyproject)
}

func (p *Python) readVersion(folder, dependencies string) error {
	for _, name := range []string{".python-version", "runtime.txt"} {
		text, _, err := read(folder, name)
		if err != nil {
			return err
		}
		if m := pythonInDot.FindStringSubmatch(strings.TrimSpace(text)); m != nil {
			p.Version = m[1]
			return nil
		}
	}
	if m := pythonInTom.FindStringSubmatch(dependencies); m != nil {
		p.Version = m[1]
	}
	return nil
}

// readPrograms looks into the folder's programs for what a server can load, and for a path
// that tells their health. Tests, hidden folders and installed packages are left out.
func (s *Source) readPrograms(p *Python) error {
	seen := map[string]bool{}
	err := filepath.WalkDir(s.Folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, below := d.Name(), strings.Count(strings.TrimPrefix(path, s.Folder), string(filepath.Separator))
		if d.IsDir() {
			other := strings.HasPrefix(name, ".") || slices.Contains([]string{"venv", "env", "node_modules", "tests", "test", "site-packages"}, name)
			if path != s.Folder && (other || below > 3) {
				return fs.SkipDir
			}
			return nil
		}
		if filepath.Ext(name) != ".py" || strings.HasPrefix(name, "test_") || !d.Type().IsRegular() {
			return nil
		}
		relative, err := filepath.Rel(s.Folder, path)
		if err != nil {
			return err
		}
		text, _, err := read(s.Folder, relative)
		if err != nil {
			return err
		}
		for _, app := range appsIn(moduleOf(relative), text) {
			if !seen[app.Name] {
				seen[app.Name] = true
				p.Apps = append(p.Apps, app)
			}
		}
		if m := routed.FindStringSubmatch(text); m != nil && s.Health == "" {
			s.Health = "/" + strings.Trim(m[1], "/")
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("looking at the programs: %w", err)
	}
	slices.SortFunc(p.Apps, func(a, b App) int { return cmp.Compare(a.Name, b.Name) })
	return nil
}

// moduleOf is the name by which Python imports a file.
func moduleOf(file string) string {
	module := strings.TrimSuffix(strings.TrimPrefix(filepath.ToSlash(file), "src/"), ".py")
	return strings.ReplaceAll(strings.TrimSuffix(module, "/__init__"), "/", ".")
}

func appsIn(module, text string) []App {
	var all []App
	for _, m := range constructed.FindAllStringSubmatch(text, -1) {
		all = append(all, App{module + ":" + m[1], m[2] != "Flask"})
	}
	if m := factory.FindStringSubmatch(text); m != nil && len(all) == 0 && strings.Contains(text, "Flask(") {
		all = append(all, App{module + ":" + m[1] + "()", false})
	}
	if m := djangoApp.FindStringSubmatch(text); m != nil {
		all = append(all, App{module + ":application", m[1] == "asgi"})
	}
	return all
}

// app chooses what a server loads: what a person named, or what can only be meant. Django
// writes an application of each kind, and of these WSGI's is used unless uvicorn is installed.
func (p *Python) app(named string) (App, error) {
	if named != "" {
		i := slices.IndexFunc(p.Apps, func(a App) bool { return a.Name == named })
		if i >= 0 {
			return p.Apps[i], nil
		}
		return App{named, p.uses["uvicorn"] && !p.uses["gunicorn"]}, nil
	}
	all := slices.Clone(p.Apps)
	if len(all) == 2 && all[0].Async != all[1].Async && p.uses["django"] {
		async := p.uses["uvicorn"] || p.uses["hypercorn"]
		all = slices.DeleteFunc(all, func(a App) bool { return a.Async != async })
	}
	switch len(all) {
	case 1:
		return all[0], nil
	case 0:
		return App{}, fmt.Errorf("--app: nothing shows what a server is to load: name it, such as --app app:app, or write a Dockerfile")
	}
	names := make([]string, len(all))
	for i, a := range all {
		names[i] = a.Name
	}
	return App{}, fmt.Errorf("--app: a server may load %s: name the one that has the users", strings.Join(names, " or "))
}
