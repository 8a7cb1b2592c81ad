package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/command"
	"github.com/turnout-dev/turnout/bot/report"
	"github.com/turnout-dev/turnout/internal/prose"
)

// stateJSON is an application in the output of `status -o json`. docs/command-line.md lists
// the fields; new ones may be added.
type stateJSON struct {
	Application string `json:"application"`
	Namespace   string `json:"namespace"`
	Repository  string `json:"repository"`
	Environment string `json:"environment"`
	URL         string `json:"url,omitempty"`
	Phase       string `json:"phase"`

	Live    *versionJSON `json:"live,omitempty"`
	Blocked *blockedJSON `json:"blocked,omitempty"`
	// Unconfirmed: nothing shows that the load balancer took up the last switch.
	Unconfirmed *blockedJSON `json:"unconfirmed,omitempty"`
	// Suffers: the version that users have fails since a migration.
	Suffers  *blockedJSON  `json:"suffers,omitempty"`
	Lock     *lockJSON     `json:"lock,omitempty"`
	Rollback *rollbackJSON `json:"rollback,omitempty"`
	// Schema is what is known of the database's schema.
	Schema *v1alpha1.SchemaStatus `json:"schema,omitempty"`
	// WorkersOwed: workers do not follow users yet.
	WorkersOwed *v1alpha1.WorkersOwed `json:"workersOwed,omitempty"`
	// WorkersKept: some of them work on after their queue's deadline.
	WorkersKept *blockedJSON      `json:"workersKept,omitempty"`
	Active      *releaseStateJSON `json:"active,omitempty"`
	// Proof is that of the release that moved users last.
	Proof   *v1alpha1.ProofStatus `json:"proof,omitempty"`
	Waiting []string              `json:"waiting"` // releases in the queue, newest first
	// Findings are the preflight's.
	Findings []findingJSON `json:"findings,omitempty"`
}

type versionJSON struct {
	Version string `json:"version"`
	Color   string `json:"color"`
	Image   string `json:"image,omitempty"`
	Commit  string `json:"commit,omitempty"`
	Release string `json:"release,omitempty"`
}

// findingJSON is something that the application's owner should know about its objects. An
// error blocks releases.
type findingJSON struct {
	Severity string `json:"severity"`
	Reason   string `json:"reason"`
	Object   string `json:"object"`
	Field    string `json:"field,omitempty"`
	Message  string `json:"message"`
	// Commands fix it.
	Commands []v1alpha1.ShellCommand `json:"commands,omitempty"`
}

type lockJSON struct {
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason,omitempty"`
}

// rollbackJSON says where a rollback leads.
type rollbackJSON struct {
	To versionJSON `json:"to"`
	// Instant: the version still runs at its full size.
	Instant bool `json:"instant"`
	// Until is how long that lasts at least, unless a release needs its colour before.
	Until *time.Time `json:"until,omitempty"`
	// Why it is not instant, for people, and Because for programs.
	Why     string        `json:"why,omitempty"`
	Because *command.Fact `json:"because,omitempty"`
	// IfHealthy: the version's health gate decides first, and why.
	IfHealthy *command.Fact `json:"ifHealthy,omitempty"`
	// Seconds is about how long starting its pods takes; unset if it is instant, or if that
	// is unknown.
	Seconds float64 `json:"seconds,omitempty"`
}

type releaseStateJSON struct {
	Release string `json:"release"`
	Version string `json:"version"`
	Phase   string `json:"phase"`
	Step    string `json:"step,omitempty"`
	Message string `json:"message,omitempty"`
	// Waiting is what it waits for, as facts, and said is the text.
	Waiting *v1alpha1.Waiting `json:"waiting,omitempty"`
	said    string
	// Commands do what the message says.
	Commands []v1alpha1.ShellCommand `json:"commands,omitempty"`
}

// stateOf collects the state of an application. It decides nothing: the record has all of
// it.
func stateOf(bg *v1alpha1.BlueGreen, releases []v1alpha1.Release) stateJSON {
	st := bg.Status
	s := stateJSON{
		Application: bg.Name, Namespace: bg.Namespace, Repository: bg.Spec.Repository, Environment: bg.Spec.Environment,
		URL: bg.Spec.URL, Phase: st.Phase, Schema: st.Schema, WorkersOwed: st.WorkersOwed, Waiting: []string{},
		Suffers: told(bg, v1alpha1.ConditionLiveSuffers), WorkersKept: told(bg, v1alpha1.ConditionWorkersKept),
	}
	if st.Live != nil {
		live := asVersion(*st.Live)
		s.Live = &live
	}
	if c := blocked(bg); c != nil {
		s.Blocked = &blockedJSON{c.Reason, c.Message, st.CommandsOf(c.Type)}
	}
	if c := unconfirmed(bg); c != nil {
		s.Unconfirmed = &blockedJSON{c.Reason, c.Message, st.CommandsOf(c.Type)}
	}
	s.Findings = findingsOf(bg)
	if st.Lock != nil {
		s.Lock = &lockJSON{st.Lock.By, st.Lock.At.Time, st.Lock.Reason}
	}
	if mixed := st.Mixed; mixed != nil && mixed.Back != nil {
		back := command.FindWayBack(bg, &mixed.Back.To, releases)
		s.Rollback = &rollbackJSON{
			To: asVersion(mixed.Back.To), Instant: back.Instant, Because: back.Lacks, IfHealthy: back.IfHealthy, Seconds: back.About.Seconds(),
		}
		if !back.Instant {
			s.Rollback.Why = terminal(bg).Say(*back.Lacks).Says
		}
	} else if last := st.LastSwitch; last != nil && last.Kind == string(v1alpha1.Deploy) && st.Previous != nil {
		until := last.At.Add(max(bg.Spec.HoldTime(), bg.Spec.DrainTime()))
		back := command.FindWayBack(bg, st.Previous, releases)
		s.Rollback = &rollbackJSON{
			To: asVersion(*st.Previous), Instant: back.Instant, Because: back.Lacks, IfHealthy: back.IfHealthy, Seconds: back.About.Seconds(),
		}
		if back.Instant {
			s.Rollback.Until = &until
		} else {
			s.Rollback.Why = terminal(bg).Say(*back.Lacks).Says
		}
	}
	for i := range releases {
		rel := &releases[i]
		if last := st.LastSwitch; last != nil && last.UID == string(rel.UID) {
			s.Proof = rel.Status.Proof
		}
		switch {
		case rel.Status.Phase.Finished():
		case st.Active != nil && st.Active.UID == string(rel.UID):
			s.Active = &releaseStateJSON{
				rel.Name, versionOf(rel), phaseOf(rel), string(rel.Status.Step), rel.Status.Message, rel.Status.Waiting, stands(rel),
				rel.Status.Commands,
			}
		default:
			s.Waiting = append(s.Waiting, rel.Name)
		}
	}
	return s
}

func findingsOf(bg *v1alpha1.BlueGreen) []findingJSON {
	var all []findingJSON
	for _, f := range bg.Status.Findings {
		all = append(all, findingJSON{string(f.Severity), f.Reason, f.Object, f.Field, f.Message, f.Commands})
	}
	return all
}

func asVersion(v v1alpha1.Version) versionJSON {
	return versionJSON{Version: v.Short(), Color: string(v.Color), Image: v.Image, Commit: v.Commit, Release: v.Release}
}

// printStates shows many applications, one per line; namespaced, if of several namespaces.
func printStates(out io.Writer, all []stateJSON, namespaced bool) error {
	header := []string{"APPLICATION", "LIVE", "COLOUR", "PHASE", "ACTIVE", "WAITING", "LOCKED BY"}
	if namespaced {
		header = append([]string{"NAMESPACE"}, header...)
	}
	w := newTable(out, header...)
	for _, s := range all {
		cells := s.cells()
		if namespaced {
			cells = append([]string{s.Namespace}, cells...)
		}
		w.row(cells...)
	}
	return w.flush()
}

// cells are an application's row of a table.
func (s stateJSON) cells() []string {
	live, active, lock := versionJSON{Version: "-", Color: "-"}, "-", "-"
	if s.Live != nil {
		live = *s.Live
	}
	if s.Active != nil {
		active = s.Active.Version + " " + s.Active.Step
	}
	if s.Lock != nil {
		lock = s.Lock.By
	}
	return []string{s.Application, live.Version, live.Color, standing(s), active, strconv.Itoa(len(s.Waiting)), lock}
}

// standing is an application's phase, and briefly why it is blocked.
func standing(s stateJSON) string {
	if s.Phase == v1alpha1.PhaseBlocked && s.Blocked != nil {
		return s.Phase + " (" + s.Blocked.Reason + ")"
	}
	return s.Phase
}

// printState shows one application.
func printState(out io.Writer, s stateJSON) error {
	w := newTable(out)
	row := func(name, format string, args ...any) { w.row(name, fmt.Sprintf(format, args...)) }
	row("application", "%s/%s (%s, %s)", s.Namespace, s.Application, s.Repository, s.Environment)
	if s.URL != "" {
		row("address", "%s", s.URL)
	}
	if s.Live == nil {
		row("live", "nothing")
	} else {
		row("live", "%s on %s  %s", s.Live.Version, s.Live.Color, s.Live.Image)
	}
	if s.Phase == v1alpha1.PhaseHolding {
		row("phase", "%s: nothing is under way, and the version that users left is kept running for a rollback", s.Phase)
	} else {
		row("phase", "%s", s.Phase)
	}
	if s.Blocked != nil {
		row("blocked", "%s: %s", s.Blocked.Reason, s.Blocked.Message)
		w.commands(s.Blocked.Commands)
	}
	if s.Unconfirmed != nil {
		row("unconfirmed", "%s: %s", s.Unconfirmed.Reason, s.Unconfirmed.Message)
		w.commands(s.Unconfirmed.Commands)
	}
	if s.Suffers != nil {
		row("suffers", "%s: %s", s.Suffers.Reason, s.Suffers.Message)
		w.commands(s.Suffers.Commands)
	}
	if s.Lock != nil {
		row("locked", "%s", strings.TrimPrefix(prose.Locked(s.Lock.By, prose.Minute(s.Lock.At), s.Lock.Reason), "locked "))
	}
	if a := s.Active; a != nil {
		row("active", "%s (%s): %s %s %s", a.Release, a.Version, a.Phase, a.Step, a.said)
		w.commands(a.Commands)
	}
	for _, name := range s.Waiting {
		row("waiting", "%s", name)
	}
	if schema := s.Schema; schema != nil {
		row("schema", "%s", schemaLine(schema))
	}
	if s.WorkersOwed != nil {
		row("workers", "%s", owedLine(s.WorkersOwed))
	}
	if s.WorkersKept != nil {
		row("", "%s: %s", s.WorkersKept.Reason, s.WorkersKept.Message)
		w.commands(s.WorkersKept.Commands)
	}
	switch back := s.Rollback; {
	case back == nil:
		row("rollback", "there is no version to return to")
	case back.Because != nil && back.Because.Code == command.CodeWayClosed:
		row("rollback", "%s", back.Why)
	case back.Instant && back.IfHealthy != nil:
		row("rollback", "to %s on %s, which is kept running until %s, %s", back.To.Version, back.To.Color, back.Until.UTC().Format("15:04 UTC"),
			gateFirst(back.IfHealthy))
	case back.Instant:
		row("rollback", "to %s on %s, at once: it is kept running until %s", back.To.Version, back.To.Color, back.Until.UTC().Format("15:04 UTC"))
	case back.Seconds > 0:
		row("rollback", "to %s on %s, once its pods have started, since %s: that took %s at most lately", back.To.Version, back.To.Color,
			back.Why, prose.Span(time.Duration(back.Seconds*float64(time.Second))))
	default:
		row("rollback", "to %s on %s, once its pods have started, since %s: how long that takes is unknown", back.To.Version, back.To.Color,
			back.Why)
	}
	if back := s.Rollback; back != nil && back.IfHealthy != nil && !back.Instant {
		row("", "%s", gateFirst(back.IfHealthy))
	}
	w.findings(s.Findings)
	if seen := report.Seen(s.Proof); seen != "" {
		row("last switch", "seen from outside: %s", seen)
	}
	return w.flush()
}
