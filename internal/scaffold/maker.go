package scaffold

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/workload"
)

// maker makes a plan.
type maker struct {
	Plan
	s  *Source
	n  *Namespace // nil if no cluster was seen
	o  Options
	r  *running // nil if the application does not run yet
	bg object   // spec of the BlueGreen
	// gce: the load balancer is Google's.
	gce bool
}

// found notes something that was found out.
func (m *maker) found(format string, args ...any) {
	m.Found = append(m.Found, fmt.Sprintf(format, args...))
}

// lookAt notes something for a person.
func (m *maker) lookAt(format string, args ...any) {
	m.LookAt = append(m.LookAt, fmt.Sprintf(format, args...))
}

// add adds a file of the folder of manifests.
func (m *maker) add(name string, o any, say comments) error {
	text, err := render(o, say)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	m.Files = append(m.Files, File{Path: m.path(name), Text: text})
	return nil
}

// path is a file of the folder of manifests, seen from the repository's folder.
func (m *maker) path(name string) string {
	return strings.TrimPrefix(strings.TrimSuffix(m.o.Out, "/")+"/"+name, "./")
}

// base is a name without its colour.
func base(name string) string {
	for _, c := range []v1alpha1.Color{v1alpha1.Blue, v1alpha1.Green} {
		if cut, found := strings.CutSuffix(name, "-"+string(c)); found && cut != "" {
			return cut
		}
	}
	return name
}

var (
	projectOfImage   = regexp.MustCompile(`^(?:(?:[a-z]+\.)?gcr\.io|[a-z0-9-]+-docker\.pkg\.dev)/([a-z][a-z0-9-]{4,28}[a-z0-9])/`)
	projectOfContext = regexp.MustCompile(`^gke_([a-z][a-z0-9-]{4,28}[a-z0-9])_`)
	projectName      = regexp.MustCompile(`^[a-z][a-z0-9-]{4,28}[a-z0-9]$`)
)

// image that the build makes, without a tag.
func (m *maker) image() string {
	if m.r != nil && m.o.Image == "" && projectOfImage.MatchString(m.r.container.Image) {
		repository, _, _ := strings.Cut(m.r.container.Image, "@")
		return trimTag(repository)
	}
	return cmp.Or(m.o.Image, "gcr.io/"+m.o.Project+"/"+m.o.Name)
}

func trimTag(image string) string {
	if i := strings.LastIndex(image, ":"); i > strings.LastIndex(image, "/") {
		return image[:i]
	}
	return image
}

// placed is an object of the namespace.
func (m *maker) placed(o object) object {
	workload.Ensure(o, "metadata")["namespace"] = m.o.Namespace
	return o
}

// otherName is a name of the other colour: web-blue-svc becomes web-green-svc, and web web-green.
func (m *maker) otherName(name string) string {
	own, other := "-"+string(m.r.color), "-"+string(m.r.color.Other())
	switch {
	case strings.HasSuffix(name, own), strings.Contains(name, own+"-"):
		return strings.Replace(name, own, other, 1)
	case strings.HasSuffix(name, "-svc"):
		return strings.TrimSuffix(name, "-svc") + other + "-svc"
	}
	return name + other
}

// health is the path that tells whether a pod is well.
func (m *maker) health() string {
	if m.s.Health != "" {
		return m.s.Health
	}
	return "/"
}

// patch is the command that changes an object as a file of changes/ says.
func (m *maker) patch(kind, name, file string) v1alpha1.ShellCommand {
	words := []string{"kubectl", "patch", kind, name}
	if kind != "namespace" {
		words = append(words, "-n", m.o.Namespace)
	}
	return v1alpha1.Shell(append(words, "--patch-file", m.path(file))...)
}

// kubectl is a command about a file or an object of the namespace.
func (m *maker) kubectl(words ...string) v1alpha1.ShellCommand {
	return v1alpha1.Shell(append(append([]string{"kubectl"}, words...), "-n", m.o.Namespace)...)
}

const defaultPort = 8080

// port that the program listens on.
func (m *maker) port() int { return cmp.Or(m.s.Port, defaultPort) }
