package scenario

import (
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

var recordFile = flag.String("record", "", //nolint:gochecknoglobals // a flag
	"file for what users and metrics saw of two canaries, such as docs/canary.json, from which docs/canary.md has its picture")

// recorded is the content of docs/canary.json. Seconds count from 5 s before the first weight.
type recorded struct {
	Recorded string           `json:"recorded"` // when
	Canaries []recordedCanary `json:"canaries"`
}

type recordedCanary struct {
	Name     string                `json:"name"`
	Phase    v1alpha1.ReleasePhase `json:"phase"`
	Weights  []recordedWeight      `json:"weights"`
	Switched float64               `json:"switched_s,omitempty"`
	// Answers of each second, from 0 on.
	Answers []recordedAnswers `json:"answers"`
	Windows []recordedWindow  `json:"windows"`
}

type recordedWeight struct {
	Weight    int32   `json:"weight"`
	Intended  float64 `json:"intended_s"`
	Effective float64 `json:"effective_s"`
}

// recordedAnswers are how many answers users got of each version, and how many were wrong.
type recordedAnswers struct {
	Old       int `json:"old"`
	New       int `json:"new"`
	OldFailed int `json:"old_failed,omitempty"`
	NewFailed int `json:"new_failed,omitempty"`
}

// recordedWindow is what a check found in a window that ended then, in the new version and
// the one beside it.
type recordedWindow struct {
	Check   string                   `json:"check"`
	Weight  int32                    `json:"weight"`
	End     float64                  `json:"end_s"`
	Value   v1alpha1.Number          `json:"value,omitempty"`
	Samples v1alpha1.Number          `json:"samples,omitempty"`
	Other   v1alpha1.Number          `json:"other,omitempty"`
	Verdict v1alpha1.Verdict         `json:"verdict"`
	Because v1alpha1.NoVerdictReason `json:"because,omitempty"`
}

// windowKey is one window of one check.
type windowKey struct {
	check string
	at    time.Time
}

// recorder collects the windows of a canary, of which a release keeps those of its present step.
type recorder struct {
	stop    context.CancelFunc
	running sync.WaitGroup
	windows map[windowKey]recordedWindow
}

func (a *application) record() *recorder {
	ctx, stop := context.WithCancel(a.t.Context())
	r := &recorder{stop: stop, windows: map[windowKey]recordedWindow{}}
	r.running.Go(func() {
		for ticks := time.Tick(500 * time.Millisecond); ctx.Err() == nil; <-ticks {
			var list v1alpha1.ReleaseList
			if err := running.kube.List(ctx, &list, client.InNamespace(a.namespace)); err != nil {
				continue
			}
			for i := range list.Items {
				if seen := list.Items[i].Status.Analysis; seen != nil && seen.Weight > 0 {
					r.keep(seen)
				}
			}
		}
	})
	return r
}

func (r *recorder) keep(seen *v1alpha1.AnalysisStatus) {
	for _, c := range seen.Checks {
		for _, p := range c.Points {
			w := recordedWindow{
				Check: c.Name, Weight: seen.Weight, Value: p.Value, Samples: p.Samples, Verdict: p.Verdict, Because: p.Because,
			}
			if c.Other != nil && c.Other.At.Equal(&p.At) {
				w.Other = c.Other.Value
			}
			key := windowKey{c.Name, p.At.Time}
			w.Other = cmp.Or(w.Other, r.windows[key].Other)
			r.windows[key] = w
		}
	}
}

// end sums up what happened.
func (r *recorder) end(name string, rel *v1alpha1.Release, visits []visit) recordedCanary {
	r.stop()
	r.running.Wait()
	weights := rel.Status.Shift.Weights
	began := weights[0].IntendedAt.Add(-5 * time.Second)
	since := func(at time.Time) float64 { return float64(at.Sub(began).Milliseconds()) / 1000 }
	c := recordedCanary{Name: name, Phase: rel.Status.Phase}
	last := weights[len(weights)-1].EffectiveAt.Time
	for _, w := range weights {
		c.Weights = append(c.Weights, recordedWeight{w.Weight, since(w.IntendedAt.Time), since(w.EffectiveAt.Time)})
	}
	if at := rel.Status.Milestones.SwitchedAt; at != nil {
		c.Switched, last = since(at.Time), at.Time
	}
	c.Answers = make([]recordedAnswers, int(since(last))+26) // until every front end has followed
	for _, v := range visits {
		if s := int(since(v.at)); !v.at.Before(began) && s < len(c.Answers) {
			c.Answers[s].count(v)
		}
	}
	for key, w := range r.windows {
		w.End = since(key.at)
		c.Windows = append(c.Windows, w)
	}
	slices.SortFunc(c.Windows, func(a, b recordedWindow) int { return cmp.Or(cmp.Compare(a.Check, b.Check), cmp.Compare(a.End, b.End)) })
	return c
}

func (a *recordedAnswers) count(v visit) {
	all, failed := &a.Old, &a.OldFailed
	if v.answer.version == newVersion {
		all, failed = &a.New, &a.NewFailed
	}
	*all++
	if v.answer.well(v.err) != nil {
		*failed++
	}
}

// writeRecord writes docs/canary.json, if that is asked for.
func writeRecord(t *testing.T, canaries []recordedCanary) {
	t.Helper()
	if *recordFile == "" {
		return
	}
	text, err := json.MarshalIndent(recorded{Recorded: time.Now().UTC().Format(time.RFC3339), Canaries: canaries}, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(*recordFile, append(text, '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
}
