package track

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

func number(n int64) map[string]any    { return map[string]any{"number": n} }
func named(name string) map[string]any { return map[string]any{"name": name} }

func TestOneColourIsLiveOrNoneIs(t *testing.T) {
	const blue, green = v1alpha1.Blue, v1alpha1.Green
	for name, tt := range map[string]struct {
		users map[v1alpha1.Color][]Backend
		live  v1alpha1.Color
		mixed bool
	}{
		"neither":               {nil, "", false},
		"blue":                  {map[v1alpha1.Color][]Backend{blue: {{}, {}}}, blue, false},
		"green":                 {map[v1alpha1.Color][]Backend{green: {{}}}, green, false},
		"both":                  {map[v1alpha1.Color][]Backend{blue: {{}}, green: {{}}}, "", true},
		"nothing leads to blue": {map[v1alpha1.Color][]Backend{blue: {}, green: {{}}}, green, false},
	} {
		r := Routes{Users: tt.users}
		if r.Live() != tt.live || r.Mixed() != tt.mixed {
			t.Errorf("%s: live is %q, mixed %v", name, r.Live(), r.Mixed())
		}
	}
}

func TestColourIsAttachedByEveryPortThatUsersHave(t *testing.T) {
	users := []Backend{{Port: number(80)}, {Port: named("http")}, {Port: number(80)}, {Port: number(443)}}
	for name, tt := range map[string]struct {
		users, standby []Backend
		missing        []map[string]any
		attached       bool
	}{
		"nothing":        {users, nil, []map[string]any{number(80), named("http"), number(443)}, false},
		"one of them":    {users, users[:1], []map[string]any{named("http"), number(443)}, false},
		"all of them":    {users, []Backend{users[3], users[1], users[2]}, nil, true},
		"more than them": {users[:1], users, nil, true},
		"no users":       {nil, users[:1], nil, true},
		"neither":        {nil, nil, nil, false},
	} {
		r := Routes{
			Users:   map[v1alpha1.Color][]Backend{v1alpha1.Blue: tt.users},
			Standby: map[v1alpha1.Color][]Backend{v1alpha1.Green: tt.standby},
		}
		if diff := cmp.Diff(tt.missing, MissingPorts(tt.users, tt.standby)); diff != "" {
			t.Errorf("%s: missing ports (-want +got):\n%s", name, diff)
		}
		if got := r.Attached(v1alpha1.Green); got != tt.attached {
			t.Errorf("%s: attached is %v", name, got)
		}
		if r.Attached(v1alpha1.Blue) {
			t.Errorf("%s: the users' colour is attached to itself", name)
		}
	}
}

func TestPortOfAnIngressIsNamedOrNumbered(t *testing.T) {
	for _, tt := range []struct {
		port map[string]any
		want bool
		text string
	}{
		{number(80), true, "80"},
		{number(81), false, "81"},
		{named("http"), true, "http"},
		{named("https"), false, "https"},
		{map[string]any{"name": "https", "number": int64(80)}, false, "https"},
		{nil, false, "<nil>"},
	} {
		b := Backend{Port: tt.port}
		if got := b.Names("http", 80); got != tt.want {
			t.Errorf("%v names the port http, 80: %v", tt.port, got)
		}
		if got := PortText(tt.port); got != tt.text {
			t.Errorf("%v is written %q", tt.port, got)
		}
	}
}

func TestBackendsAndGroupsAreNamedForPeople(t *testing.T) {
	for _, tt := range []struct {
		of   interface{ String() string }
		want string
	}{
		{Backend{}, "the default backend"},
		{Backend{Path: "/shop"}, "*/shop"},
		{Backend{Host: "shop.example.com"}, "shop.example.com"},
		{Backend{Host: "shop.example.com", Path: "/a"}, "shop.example.com/a"},
		{Group{Port: 80}, "port 80"},
		{Group{Port: 80, Name: "k8s1-a"}, "k8s1-a"},
		{Lack{Text: "there are no pods"}, "there are no pods"},
		{Lack{Pod: "g1", Text: "is not ready"}, "pod g1 is not ready"},
	} {
		if got := tt.of.String(); got != tt.want {
			t.Errorf("%+v is %q, want %q", tt.of, got, tt.want)
		}
	}
}

// A backend is not unhealthy just because its state is unknown or nothing leads to it.
func TestBackendIsUnhealthyOnlyWhereUsersAreSent(t *testing.T) {
	for _, tt := range []struct {
		g                  Group
		healthy, unhealthy bool
	}{
		{Group{Routed: true, State: "HEALTHY"}, true, false},
		{Group{Routed: true, State: "UNHEALTHY"}, false, true},
		{Group{Routed: true, State: "Unknown"}, false, false},
		{Group{Routed: true}, false, false},
		{Group{State: "UNHEALTHY"}, false, false},
	} {
		if tt.g.Healthy() != tt.healthy || tt.g.Unhealthy() != tt.unhealthy {
			t.Errorf("%+v is healthy: %v, unhealthy: %v", tt.g, tt.g.Healthy(), tt.g.Unhealthy())
		}
	}
}
