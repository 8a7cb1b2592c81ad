package deployer

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/analysis"
)

const (
	// stepDryRun is the step of a dry run's questions.
	stepDryRun v1alpha1.Step = "dry run"
	// dryRunEvery is how often unchanged checks are tried out; sooner if the server did not
	// answer.
	dryRunEvery = time.Hour
	dryRunRetry = time.Minute
)

// checking tries out the checks of metrics before releases rely on them.
type checking struct {
	metrics metricsAccess
	calls   *calls
	dryRuns *dryRuns
}

// judge finds what is wrong with the checks of metrics. Invalid checks keep releases from running
// where checks are enforced. Then it tries them out on the server.
func (c checking) judge(ctx context.Context, w *work) []v1alpha1.Finding {
	spec := w.bg.Spec.Analysis
	if spec == nil {
		noteUnusable(w, unusable{})
		return nil
	}
	through, err := c.metrics.loadBalancer(ctx, w.bg, w.o.Routes)
	if err != nil {
		w.log.WarnContext(ctx, "what the load balancer's metrics are called is not known", "error", err)
		w.wakeAt(w.o.Now.Add(dryRunRetry))
		return c.dryRuns.get(client.ObjectKeyFromObject(w.bg)).findings
	}
	plan, problems := analysis.Compile(*spec, through.kind)
	var all []v1alpha1.Finding
	for _, p := range problems {
		f := ofChecks(w.bg, "Analysis", p.Field, p.Text+": correct it")
		if spec.Mode != v1alpha1.AnalysisObserve {
			f.Severity = v1alpha1.SeverityError
		}
		all = append(all, f)
	}
	if len(problems) > 0 {
		noteUnusable(w, unusable{v1alpha1.ReasonChecksInvalid, problems[0].Field + ": " + problems[0].Text})
		return all
	}
	found := c.tryOut(ctx, w, plan, through)
	if run := c.dryRuns.get(client.ObjectKeyFromObject(w.bg)); run.generation == w.bg.Generation {
		noteUnusable(w, run.unusable)
	}
	return found
}

// ofChecks is a warning about the application's checks.
func ofChecks(bg *v1alpha1.BlueGreen, reason, field, message string) v1alpha1.Finding {
	return v1alpha1.Finding{
		Severity: v1alpha1.SeverityWarning, Reason: reason, Object: "bluegreen " + bg.Namespace + "/" + bg.Name, Field: field,
		Message: message,
	}
}

// tryOut reads the live colour's metrics in the background, at the first look after a change.
func (c checking) tryOut(ctx context.Context, w *work, plan analysis.Plan, through loadBalancer) []v1alpha1.Finding {
	key := client.ObjectKeyFromObject(w.bg)
	known := c.dryRuns.get(key)
	if known.generation == w.bg.Generation && w.o.Now.Before(known.next) {
		w.wakeAt(known.next)
		return known.findings
	}
	if len(w.granted.Missing(*w.bg.MetricsGrant())) > 0 {
		return nil // the condition reports it
	}
	t := c.calls.turn(key, turnKey{step: stepDryRun}, haste)
	readings, err := c.readLive(ctx, w, t, plan, through)
	if asked := pending(err); asked != nil || ctx.Err() != nil {
		w.wakeAt(w.o.Now.Add(silent))
		return known.findings
	}
	t.settle(w.o.Now, nil)
	run := dryRun{generation: w.bg.Generation, next: w.o.Now.Add(dryRunEvery)}
	unseen := analysis.Unreachable(readings)
	if err != nil {
		unseen = err.Error()
	}
	if unseen != "" {
		run.next = w.o.Now.Add(dryRunRetry)
		run.unusable = unusable{v1alpha1.ReasonMetricsNotRead, unseen}
		run.findings = append(run.findings, ofChecks(w.bg, "MetricsUnseen", w.bg.MetricsGrant().Field,
			"the metrics cannot be read, so a release has no verdict on them: "+unseen))
	} else {
		for i, r := range readings {
			run.findings = append(run.findings, tried(w, plan.Checks[i], r)...)
			if why := refusedQuery(plan.Checks[i], r); why != "" && run.unusable.reason == "" {
				run.unusable = unusable{v1alpha1.ReasonQueryRefused, why}
			}
		}
	}
	c.dryRuns.set(key, run)
	w.wakeAt(run.next)
	return run.findings
}

// tried is what the server found wrong with a check.
func tried(w *work, c analysis.Check, r analysis.Reading) []v1alpha1.Finding {
	p := c.Point(w.o.Now, r)
	said := map[v1alpha1.NoVerdictReason]string{
		v1alpha1.NoVerdictRefused: "its query was refused", v1alpha1.NoVerdictUnreachable: "its query was not answered",
		v1alpha1.NoVerdictUnknown:   "its query does not work for the live version",
		v1alpha1.NoVerdictEmpty:     "its query found nothing for the live version",
		v1alpha1.NoVerdictNotFinite: "its query found no finite number",
	}[p.Because]
	if said == "" {
		return nil
	}
	if p.Detail != "" {
		said += ": " + p.Detail
	}
	return []v1alpha1.Finding{ofChecks(w.bg, "MetricsCheck", "spec.analysis", fmt.Sprintf("check %s: %s", c.Name, said))}
}

// readLive reads the newest window of the live colour.
func (c checking) readLive(ctx context.Context, w *work, t *turn, plan analysis.Plan, through loadBalancer) ([]analysis.Reading, error) {
	live := w.o.Routes.Live()
	known := func(colour v1alpha1.Color) analysis.Values {
		v := version(w.o.Sides[colour])
		return through.values(w.bg, colour, cmp.Or(v.Commit, v.Tag))
	}
	window := analysis.Window{End: w.o.Now.Add(-plan.Lag), Of: known(live), Beside: known(live.Other())}
	access, bg, checks := c.metrics, w.bg.DeepCopy(), plan.Checks
	q := question{what: "the metrics of " + bg.Name, about: fmt.Sprint("dry run", bg.Generation), few: true}
	return ask(ctx, t, q, func(ctx context.Context) ([]analysis.Reading, error) {
		server, err := access.client(ctx, bg)
		if err != nil {
			return nil, err
		}
		return analysis.Read(ctx, server, checks, window), nil
	})
}
