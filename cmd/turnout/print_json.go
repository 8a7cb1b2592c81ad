package main

import (
	"fmt"
	"io"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/command"
)

// releaseJSON is a release in the output of -o json, one per line. docs/command-line.md
// lists the fields; new ones may be added.
type releaseJSON struct {
	Release     string `json:"release"`
	Namespace   string `json:"namespace"`
	Application string `json:"application"`
	Kind        string `json:"kind"`
	Version     string `json:"version"`
	Commit      string `json:"commit,omitempty"`
	Image       string `json:"image,omitempty"`
	Color       string `json:"color,omitempty"`
	URL         string `json:"url,omitempty"`
	By          string `json:"by,omitempty"`
	Phase       string `json:"phase"` // empty if no turnout serve has taken it yet
	Step        string `json:"step,omitempty"`
	Message     string `json:"message,omitempty"`
	// Waiting is what it waits for, as facts.
	Waiting *v1alpha1.Waiting `json:"waiting,omitempty"`
	// Commands do what the message says.
	Commands   []v1alpha1.ShellCommand `json:"commands,omitempty"`
	CreatedAt  time.Time               `json:"createdAt"`
	FinishedAt *time.Time              `json:"finishedAt,omitempty"`

	Timeline     []stepJSON            `json:"timeline"`
	Failure      *v1alpha1.Failure     `json:"failure,omitempty"`
	Findings     []v1alpha1.Advice     `json:"findings,omitempty"`
	Proof        *v1alpha1.ProofStatus `json:"proof,omitempty"`
	SupersededBy string                `json:"supersededBy,omitempty"`
	// WorkersOwed: the workers do not follow users yet, whom this release moved.
	WorkersOwed *v1alpha1.WorkersOwed `json:"workersOwed,omitempty"`

	// Decision is the result of the command; unset if a release is only listed.
	Decision *command.Decision `json:"decision,omitempty"`
}

// decisionJSON is the result of a command that concerns no release.
type decisionJSON struct {
	Application string            `json:"application"`
	Namespace   string            `json:"namespace"`
	Decision    *command.Decision `json:"decision"`
}

func printDecision(out io.Writer, app *v1alpha1.BlueGreen, decision *command.Decision) error {
	line, err := jsonLine(decisionJSON{app.Name, app.Namespace, decision})
	if err != nil {
		return err
	}
	if _, err := io.WriteString(beyond(out), line); err != nil {
		return fmt.Errorf("printing the decision: %w", err)
	}
	return nil
}

// stepJSON is one step of the timeline.
type stepJSON struct {
	Step       string     `json:"step"`
	StartedAt  time.Time  `json:"startedAt"`
	FinishedAt *time.Time `json:"finishedAt,omitempty"`
	Seconds    float64    `json:"seconds,omitempty"` // set once the step has ended
	Message    string     `json:"message,omitempty"`
	URL        string     `json:"url,omitempty"`
}

// asJSON shows a release. Without app its address is unknown.
func asJSON(app *v1alpha1.BlueGreen, rel *v1alpha1.Release) releaseJSON {
	s := rel.Status
	r := releaseJSON{
		Release: rel.Name, Namespace: rel.Namespace, Application: rel.Spec.Application,
		Kind: string(rel.Spec.Kind), Version: versionOf(rel), By: rel.AskedBy(),
		Phase: string(s.Phase), Step: string(s.Step), Message: s.Message, Waiting: s.Waiting, Commands: s.Commands,
		CreatedAt: rel.CreationTimestamp.Time,
		Timeline:  []stepJSON{}, Failure: s.Failure, Findings: s.Findings, Proof: s.Proof, SupersededBy: s.SupersededBy,
	}
	r.Commit, r.Image, r.Color = artifact(rel)
	r.WorkersOwed = owedBy(app, rel)
	if app != nil {
		r.URL = app.Spec.URL
	}
	if s.FinishedAt != nil {
		r.FinishedAt = &s.FinishedAt.Time
	}
	for _, e := range s.Timeline {
		step := stepJSON{Step: string(e.Step), StartedAt: e.StartedAt.Time, Message: e.Message, URL: e.URL}
		if e.FinishedAt != nil {
			step.FinishedAt, step.Seconds = &e.FinishedAt.Time, e.FinishedAt.Sub(e.StartedAt.Time).Seconds()
		}
		r.Timeline = append(r.Timeline, step)
	}
	return r
}

// artifact is what a release puts in front of users, as far as known.
func artifact(rel *v1alpha1.Release) (commit, image, color string) {
	if back := rel.Spec.Rollback; back != nil {
		return back.To.Commit, back.To.Image, string(back.To.Color)
	}
	if c := rel.Spec.Contract; c != nil {
		return c.Commit, c.Image, ""
	}
	if rel.Spec.Deploy != nil {
		commit = rel.Spec.Deploy.Commit
	}
	if built := rel.Status.Milestones.Built; built != nil {
		image = built.Image
	}
	return commit, image, string(rel.Status.Milestones.Target)
}

// jsonPrinter writes one object per line for every state that differs from the last one.
type jsonPrinter struct {
	out      io.Writer
	app      *v1alpha1.BlueGreen
	decision *command.Decision
	last     string
}

func (p *jsonPrinter) show(rel *v1alpha1.Release, _ time.Time) {
	state := asJSON(p.app, rel)
	state.Decision = p.decision
	line, err := jsonLine(state)
	if err != nil || line == p.last { // its types cannot fail
		return
	}
	p.last = line
	_, _ = io.WriteString(p.out, p.last)
}

func (p *jsonPrinter) tick(time.Time)         {}
func (p *jsonPrinter) aside()                 {}
func (p *jsonPrinter) done(*v1alpha1.Release) {}
