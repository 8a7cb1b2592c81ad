package gate

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// Plan is what a round checks on every pod.
type Plan struct {
	// Check describes it for people.
	Check string

	// Warning, if not empty, tells people that the gate proves less than it seems to.
	Warning string

	// requests to make, and the command to run. Without either, pods only have to be
	// Ready.
	requests []request
	command  *command

	// probe is the readiness probe as a request, or nil. While a pod is Ready, the kubelet gets
	// an answer to it.
	probe *request
}

// request is one request and its expected answer.
type request struct {
	v1alpha1.HTTPCheck

	// anySuccess accepts what the kubelet accepts of a probe, 200 to 399, instead of Status.
	anySuccess bool
}

// PlanFor returns the checks of a gate's spec for a colour's pods. Without a check in the spec,
// it requests the readiness probe's path. Without such a probe, pods only have to be Ready, and a
// warning reports that. A check without a port goes to the port that users are routed to; if
// there is none, the error names the field to set.
func PlanFor(spec v1alpha1.GateSpec, s track.Side) (Plan, error) {
	probe := probeRequest(s.Probe)
	if len(spec.HTTP) == 0 && spec.Exec == nil {
		return defaultPlan(s.Deployment, probe), nil
	}
	p := Plan{probe: probe}
	var words []string
	for i, check := range spec.HTTP {
		check.Port = cmp.Or(check.Port, s.UserPort)
		check.Status = cmp.Or(check.Status, http.StatusOK)
		check.Scheme = cmp.Or(check.Scheme, "HTTP")
		if check.Port == 0 {
			return Plan{}, fmt.Errorf("spec.gate.http[%d].port must be set: no port of Service %s that users are routed to leads to a port of "+
				"deployment %s", i, s.Service, s.Deployment)
		}
		if err := checkPath(check.Path); err != nil {
			return Plan{}, fmt.Errorf("spec.gate.http[%d].path: %w", i, err)
		}
		r := request{HTTPCheck: check}
		p.requests = append(p.requests, r)
		words = append(words, r.String())
	}
	if spec.Exec != nil {
		if s.Container == "" {
			return Plan{}, fmt.Errorf("spec.container must name the container for spec.gate.exec: deployment %s has %v", s.Deployment, s.Containers)
		}
		p.command = &command{
			line: spec.Exec.Command, timeout: cmp.Or(spec.Exec.Timeout.Duration, commandTimeout), container: s.Container,
			field: "spec.gate.exec.timeout",
		}
		words = append(words, p.command.String()+" in container "+s.Container)
	}
	p.Check = strings.Join(words, "; ")
	return p, nil
}

// LivePlanFor is PlanFor for a colour that users reach, or may reach next. It runs no command: a
// command is meant for a version that does not serve yet, may cost more than a request, and may
// not exist in an older version.
func LivePlanFor(spec v1alpha1.GateSpec, s track.Side) (Plan, error) {
	spec.Exec = nil
	return PlanFor(spec, s)
}

func defaultPlan(deployment string, probe *request) Plan {
	if probe == nil {
		return Plan{
			Check: "pods are Ready (spec.gate is not set, and there is no HTTP readiness probe to repeat)",
			Warning: fmt.Sprintf("Nothing checks the health of Deployment %s: spec.gate is not set, and its pods have no HTTP readiness probe. "+
				"Turnout would switch to a version that starts but answers with errors; set spec.gate.http.", deployment),
		}
	}
	return Plan{
		Check:    probe.String() + " (the readiness probe's path; spec.gate is not set)",
		requests: []request{*probe},
		probe:    probe,
	}
}

// probeRequest returns a readiness probe as a request; nil if there is none that can
// be repeated.
func probeRequest(p *track.Probe) *request {
	if p == nil || checkPath(p.Path) != nil {
		return nil
	}
	return &request{
		HTTPCheck:  v1alpha1.HTTPCheck{Path: p.Path, Port: p.Port, Scheme: p.Scheme, Headers: p.Headers},
		anySuccess: true,
	}
}

// String describes a request, such as GET /healthz on port 8080.
func (r request) String() string {
	text := fmt.Sprintf("GET %s on port %d", r.Path, r.Port)
	if r.Scheme == "HTTPS" {
		text += " over TLS"
	}
	return text
}

// checkPath refuses paths that could lead out of a pod. Through the API server, a path is only
// the tail of a URL that is requested with our rights.
func checkPath(path string) error {
	if !strings.HasPrefix(path, "/") {
		return fmt.Errorf("%q must start with /", path)
	}
	if strings.ContainsAny(path, "#\\ \t\r\n") {
		return fmt.Errorf("%q must not contain #, a backslash or white space", path)
	}
	plain, _, _ := strings.Cut(path, "?")
	plain = strings.NewReplacer("%2e", ".", "%2E", ".", "%2f", "/", "%2F", "/", "%5c", "/", "%5C", "/").Replace(plain)
	for part := range strings.SplitSeq(plain, "/") {
		if part == ".." || part == "." {
			return fmt.Errorf("%q must not contain . or .. as a part", path)
		}
	}
	return nil
}
