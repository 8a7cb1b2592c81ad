package gate

import (
	"strings"
	"testing"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

func TestPlanSaysWhatItAsks(t *testing.T) {
	state := track.Side{
		Container: "app", Deployment: "shop-green", Service: "shop-green-svc", UserPort: 8080,
		Probe: &track.Probe{Path: "/ready", Port: 9000, Scheme: "HTTPS"},
	}
	for _, c := range []struct {
		name    string
		http    []v1alpha1.HTTPCheck
		command []string
		change  func(*track.Side)
		check   string
		warning string // a part of it
		err     string // a part of it
	}{
		{
			name: "configured", http: []v1alpha1.HTTPCheck{{Path: "/a?b=c", Port: 1}, {Path: "/d"}},
			check: "GET /a?b=c on port 1; GET /d on port 8080",
		},
		{name: "a command", command: []string{"python", "-m", "shop.selfcheck"}, check: "command python -m shop.selfcheck in container app"},
		{
			name: "both", http: []v1alpha1.HTTPCheck{{Path: "/a"}}, command: []string{"sh", "-c", "test -f x"},
			check: `GET /a on port 8080; command sh -c "test -f x" in container app`,
		},
		{
			name: "a long command", command: []string{strings.Repeat("x", 300)},
			check: "command " + strings.Repeat("x", 197) + "… in container app",
		},
		{
			name: "no container", command: []string{"x"},
			change: func(s *track.Side) { s.Container, s.Containers = "", []string{"app", "proxy"} },
			err:    "spec.container must name the container for spec.gate.exec: deployment shop-green has [app proxy]",
		},
		{name: "probe", check: "GET /ready on port 9000 over TLS (the readiness probe's path; spec.gate is not set)"},
		{
			name: "nothing", change: func(s *track.Side) { s.Probe = nil },
			check:   "pods are Ready (spec.gate is not set, and there is no HTTP readiness probe to repeat)",
			warning: "Nothing checks the health of Deployment shop-green",
		},
		{
			name: "no port", http: []v1alpha1.HTTPCheck{{Path: "/"}}, change: func(s *track.Side) { s.UserPort = 0 },
			err: "spec.gate.http[0].port must be set: no port of Service shop-green-svc that users are routed to leads to a port of deployment " +
				"shop-green",
		},
		{name: "way out", http: []v1alpha1.HTTPCheck{{Path: "/"}, {Path: "/../../secrets"}}, err: "spec.gate.http[1].path"},
		{name: "hidden way out", http: []v1alpha1.HTTPCheck{{Path: "/a/%2E./%2e%2e%2Fsecrets"}}, err: "spec.gate.http[0].path"},
		{name: "dots in a name", http: []v1alpha1.HTTPCheck{{Path: "/a..b/.c"}}, check: "GET /a..b/.c on port 8080"},
		{name: "dots in a query", http: []v1alpha1.HTTPCheck{{Path: "/a?up=../b"}}, check: "GET /a?up=../b on port 8080"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := state
			if c.change != nil {
				c.change(&s)
			}
			spec := v1alpha1.GateSpec{HTTP: c.http}
			if c.command != nil {
				spec.Exec = &v1alpha1.ExecCheck{Command: c.command}
			}
			p, err := PlanFor(spec, s)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("got error %v, want %q", err, c.err)
				}
				return
			}
			if err != nil || p.Check != c.check {
				t.Errorf("check %q (%v), want %q", p.Check, err, c.check)
			}
			if (p.Warning == "") != (c.warning == "") || !strings.Contains(p.Warning, c.warning) {
				t.Errorf("warning %q, want %q", p.Warning, c.warning)
			}
		})
	}
}

// Live pods get every check except the command. If the gate has only a command, the readiness
// probe remains.
func TestPlanForALiveColourHasNoCommand(t *testing.T) {
	state := track.Side{Container: "app", UserPort: 8080, Probe: &track.Probe{Path: "/ready", Port: 9000, Scheme: "HTTP"}}
	command := &v1alpha1.ExecCheck{Command: []string{"x"}}
	for want, spec := range map[string]v1alpha1.GateSpec{
		"GET /a on port 8080":     {HTTP: []v1alpha1.HTTPCheck{{Path: "/a"}}, Exec: command},
		"GET /ready on port 9000": {Exec: command},
	} {
		p, err := LivePlanFor(spec, state)
		if err != nil || p.command != nil || !strings.HasPrefix(p.Check, want) {
			t.Errorf("check %q with command %v (%v), want %q", p.Check, p.command, err, want)
		}
		if spec.Exec == nil {
			t.Error("the spec was changed")
		}
	}
}
