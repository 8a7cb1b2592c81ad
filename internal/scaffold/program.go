package scaffold

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"
	"text/template"

	"github.com/turnout-dev/turnout/deployer/cloudbuild"
)

//go:embed templates/*
var texts embed.FS

// fill fills in a template.
func fill(name string, with any) (string, error) {
	t, err := template.New(name).ParseFS(texts, "templates/"+name)
	if err != nil {
		return "", fmt.Errorf("reading template %s: %w", name, err)
	}
	var out bytes.Buffer
	if err := t.Execute(&out, with); err != nil {
		return "", fmt.Errorf("writing %s: %w", name, err)
	}
	return out.String(), nil
}

// writeProgram writes what builds the image, where the repository has nothing that does. Nothing that
// it has is ever replaced.
func writeProgram(m *maker) error {
	s := m.s
	switch {
	case s.Dockerfile:
		m.found("Dockerfile: kept")
	case s.BuildName != "" && !s.wantsDockerfile():
		m.found("no Dockerfile written: %s does not build from a file of that name", s.BuildName)
	default:
		if err := writeDockerfile(m); err != nil {
			return err
		}
	}
	if s.BuildName != "" {
		return keepBuild(m)
	}
	text, err := fill("cloudbuild.yaml", map[string]string{
		"Image": strings.Replace(m.image(), "/"+m.o.Project+"/", "/$PROJECT_ID/", 1), "Context": s.context(),
		"Dockerfile": path.Join(s.context(), "Dockerfile"),
	})
	if err != nil {
		return err
	}
	m.Files = append(m.Files, File{Path: "cloudbuild.yaml", Text: text})
	if s.Build, err = cloudbuild.Parse("cloudbuild.yaml", []byte(text)); err != nil {
		return fmt.Errorf("what was written does not work: %w", err)
	}
	return checkBuild(m, "cloudbuild.yaml")
}

func keepBuild(m *maker) error {
	s := m.s
	m.found("%s: kept", s.BuildName)
	if s.Build == nil {
		m.lookAt("A release would fail, since Turnout cannot use this file: %s", s.BuildError)
		return nil
	}
	for _, w := range s.Build.Warnings {
		m.lookAt("%s", w)
	}
	return checkBuild(m, s.BuildName)
}

// checkBuild asks which image a release of the file would take. One that cannot be told is
// named by a flag.
func checkBuild(m *maker, name string) error {
	live := ""
	if m.r != nil {
		live = m.r.container.Image
	}
	request := cloudbuild.Request{
		Project: m.o.Project, Commit: strings.Repeat("a", 40), Branch: m.o.Branch, Repository: m.o.Repository, Release: "init",
	}
	chosen, err := m.s.Build.Choose(request, cloudbuild.ImageChoice{Image: m.o.Image, Live: live})
	if err != nil {
		return fmt.Errorf("--image: %s does not tell which image is the application's: %w", name, err)
	}
	m.found("image %s, built by %s", chosen.Image, name)
	return nil
}

// writeDockerfile writes one for a program in Python.
func writeDockerfile(m *maker) error {
	p := m.s.Python
	if p == nil {
		return fmt.Errorf("%s has no Dockerfile, no cloudbuild.yaml, and no program in Python that one could be written for: write a Dockerfile",
			m.s.Folder)
	}
	start, server, err := startOf(m, p)
	if err != nil {
		return err
	}
	text, err := fill("Dockerfile", map[string]any{
		"Python": p, "Port": m.port(), "Start": start, "Server": server,
	})
	if err != nil {
		return err
	}
	m.Files = append(m.Files, File{Path: "Dockerfile", Text: text})
	if !m.s.Ignore {
		ignore, err := fill("dockerignore", nil)
		if err != nil {
			return err
		}
		m.Files = append(m.Files, File{Path: ".dockerignore", Text: ignore})
	}
	return nil
}

// bindPort is a port that a command of a Procfile names instead of $PORT.
var bindPort = regexp.MustCompile(`(?:--port[ =]|-p |--bind[ =]\S*:|-b \S*:)(\d{2,5})\b`)

// startOf is the command of the image as JSON, and the package to install beside the program's
// own; "" if it has a server.
func startOf(m *maker, p *Python) (command, server string, err error) {
	if p.Web != "" {
		if named := bindPort.FindStringSubmatch(p.Web); named != nil && m.s.Port == 0 {
			m.s.Port, _ = strconv.Atoi(named[1]) // digits
		}
		m.found("start: web of the Procfile, %s", p.Web)
		return words("sh", "-c", direct(m, p.Web)), "", nil
	}
	app, err := p.app(m.o.App)
	if err != nil {
		return "", "", err
	}
	port := strconv.Itoa(m.port())
	if app.Async {
		m.found("start: uvicorn %s", app.Name)
		// The load balancer keeps connections for 600 s; a server that closes them first loses requests.
		return words("uvicorn", app.Name, "--host", "0.0.0.0", "--port", port, "--timeout-keep-alive", "650",
			"--timeout-graceful-shutdown", "60"), missing(p, "uvicorn"), nil
	}
	m.found("start: gunicorn %s", app.Name)
	return words("gunicorn", app.Name, "--bind", "0.0.0.0:"+port, "--worker-class", "gthread", "--workers", "2", "--threads", "8",
		"--keep-alive", "650", "--graceful-timeout", "60"), missing(p, "gunicorn"), nil
}

// direct makes a shell end where the server begins, so that the server itself is told to end.
func direct(m *maker, command string) string {
	last := strings.LastIndex(command, "&&") + 1
	if last > 0 {
		last++
	}
	if strings.ContainsAny(command[last:], ";|&") {
		m.lookAt("The Procfile's command %q runs more than one program: see that the server gets SIGTERM, or users' requests are cut off.",
			command)
		return command
	}
	return strings.TrimLeft(command[:last]+" exec "+strings.TrimSpace(command[last:]), " ")
}

func missing(p *Python, server string) string {
	if p.uses[server] {
		return ""
	}
	return server
}

func words(all ...string) string {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(all); err != nil {
		return "" // unreachable: texts are JSON
	}
	return strings.ReplaceAll(strings.TrimSpace(out.String()), `","`, `", "`)
}
