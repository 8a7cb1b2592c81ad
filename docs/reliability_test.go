package docs

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

const (
	reliability = "reliability.md"
	chaosBench  = "bench/chaos.json"
)

// storm is what `make chaos` writes.
type storm struct {
	Seed           uint64         `json:"seed"`
	Effects        int            `json:"effects"`
	Crashes        int            `json:"crashes"`
	Stalls         int            `json:"stalls"`
	Restarts       int            `json:"restarts"`
	Faults         map[string]int `json:"faults"`
	Releases       int            `json:"releases"`
	Rollbacks      int            `json:"rollbacks"`
	Duplicates     int            `json:"duplicates"`
	Lost           int            `json:"lost"`
	EndedWrong     int            `json:"ended_wrong"`
	ClientRequests int            `json:"client_requests"`
	ClientFailures int            `json:"client_failures"`
	Takeover       float64        `json:"takeover_s"`
	Seconds        float64        `json:"seconds"`
}

func readStorm(t *testing.T) storm {
	t.Helper()
	var s storm
	if err := json.Unmarshal([]byte(read(t, chaosBench)), &s); err != nil {
		t.Fatalf("%s: %v", chaosBench, err)
	}
	return s
}

// faults of a storm, by what failed.
func (s storm) faults(api string) (n int) {
	for kind, hits := range s.Faults {
		if strings.HasPrefix(kind, api+": ") {
			n += hits
		}
	}
	return n
}

// stormed are the APIs that fail in a storm.
var stormed = []string{"Kubernetes", "GitHub", "Cloud Build", "load balancer"}

// text is what the page shows of a storm.
func (s storm) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "In %.0f s, with seed %d:\n\n| | |\n|---|---|\n", s.Seconds, s.Seed)
	for _, row := range []struct {
		name  string
		value any
	}{
		{"releases and rollbacks that ended", s.Releases},
		{"rollbacks among them", s.Rollbacks},
		{"writes that Kubernetes took from Turnout", s.Effects},
		{"processes killed", s.Crashes},
		{"processes stopped for 2 to 18 s", s.Stalls},
		{"processes that ended, by themselves or killed, and were started again", s.Restarts},
		{"longest time in which nobody led", fmt.Sprintf("%.1f s", s.Takeover)},
		{"**releases, builds, moves of users, deployments, comments made twice**", s.Duplicates},
		{"**merges and rollbacks lost**", s.Lost},
		{"**ended otherwise than asked for**", s.EndedWrong},
		{"users' requests", s.ClientRequests},
		{"**failed**", s.ClientFailures},
	} {
		fmt.Fprintf(&b, "| %s | %v |\n", row.name, row.value)
	}
	b.WriteString("\n| failed on purpose | times |\n|---|---|\n")
	for _, kind := range slices.Sorted(maps.Keys(s.Faults)) {
		fmt.Fprintf(&b, "| %s | %d |\n", kind, s.Faults[kind])
	}
	return b.String()
}

// unmet says what a storm lacks of what the page promises by it.
func (s storm) unmet() []string {
	var unmet []string
	for _, n := range []struct {
		what string
		got  int
	}{{"duplicates", s.Duplicates}, {"lost", s.Lost}, {"ended wrong", s.EndedWrong}, {"failed requests", s.ClientFailures}} {
		if n.got > 0 {
			unmet = append(unmet, fmt.Sprintf("%d %s", n.got, n.what))
		}
	}
	for _, n := range []struct {
		what      string
		got, want int
	}{
		{"releases", s.Releases, 50},
		{"rollbacks", s.Rollbacks, 10},
		{"crashes", s.Crashes, 5},
		{"stalls", s.Stalls, 5},
		{"requests", s.ClientRequests, 10_000},
		{"effects", s.Effects, 500},
	} {
		if n.got < n.want {
			unmet = append(unmet, fmt.Sprintf("%d %s, want %d or more", n.got, n.what, n.want))
		}
	}
	for _, api := range stormed {
		if s.faults(api) == 0 {
			unmet = append(unmet, api+" did not fail")
		}
	}
	if s.Takeover <= 0 || s.Takeover > 20 {
		unmet = append(unmet, fmt.Sprintf("nobody led for %.1f s, want 20 s at most, and to see it at all", s.Takeover))
	}
	return unmet
}

func TestTheStormMeetsTheDemand(t *testing.T) {
	if unmet := readStorm(t).unmet(); len(unmet) > 0 {
		t.Errorf("%s:\n%s", chaosBench, strings.Join(unmet, "\n"))
	}
}

func TestStormsThatDoNotMeetTheDemandAreRefused(t *testing.T) {
	for name, spoil := range map[string]func(*storm){
		"something twice":  func(s *storm) { s.Duplicates = 1 },
		"something lost":   func(s *storm) { s.Lost = 1 },
		"another end":      func(s *storm) { s.EndedWrong = 1 },
		"a failed request": func(s *storm) { s.ClientFailures = 1 },
		"too few releases": func(s *storm) { s.Releases = 49 },
		"no rollbacks":     func(s *storm) { s.Rollbacks = 0 },
		"nobody crashed":   func(s *storm) { s.Crashes = 0 },
		"nobody stalled":   func(s *storm) { s.Stalls = 0 },
		"nobody asked":     func(s *storm) { s.ClientRequests = 0 },
		"nothing written":  func(s *storm) { s.Effects = 0 },
		"a late takeover":  func(s *storm) { s.Takeover = 21 },
		"no takeover":      func(s *storm) { s.Takeover = 0 },
		"a quiet Kubernetes": func(s *storm) {
			maps.DeleteFunc(s.Faults, func(kind string, _ int) bool { return strings.HasPrefix(kind, "Kubernetes") })
		},
	} {
		s := readStorm(t)
		spoil(&s)
		if len(s.unmet()) != 1 {
			t.Errorf("%s: unmet is %q, want one", name, s.unmet())
		}
	}
}

func TestFiguresOnThePageAreThoseOfTheStorm(t *testing.T) {
	generated(t, reliability, readStorm(t).text(), chaosBench)
}
