package track

import (
	"slices"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// buildAllowance is added to a build's timeout: the time it may queue, and the
// time the source may be out of reach. A GitHub outage delays builds.
const buildAllowance = time.Hour

func buildTime(bg *v1alpha1.BlueGreen) time.Duration {
	return bg.Spec.Build.Timeout.Duration + buildAllowance
}
func stageTime(bg *v1alpha1.BlueGreen) time.Duration   { return bg.Spec.Deadlines.Stage.Duration }
func warmTime(bg *v1alpha1.BlueGreen) time.Duration    { return bg.Spec.Deadlines.Warm.Duration }
func confirmTime(bg *v1alpha1.BlueGreen) time.Duration { return bg.Spec.Deadlines.Confirm.Duration }

// gateTime: the gate minds its own timeout; this is for a gate that never gets to ask.
func gateTime(bg *v1alpha1.BlueGreen) time.Duration {
	return bg.Spec.Gate.Timeout.Duration + time.Minute
}

// switchTime has room for the baseline, which is taken before.
func switchTime(bg *v1alpha1.BlueGreen) time.Duration {
	return confirmTime(bg) + bg.Spec.Proof.BaselineTime()
}

// Limit is how long a step may take; 0 is for ever.
func Limit(bg *v1alpha1.BlueGreen, s v1alpha1.Step) time.Duration {
	if row := RowOf(s); row.Deadline != nil {
		return row.Deadline(bg)
	}
	return 0
}

// Overdue reports whether a step that began at a time has taken too long.
func Overdue(bg *v1alpha1.BlueGreen, s v1alpha1.Step, began, now time.Time) bool {
	limit := Limit(bg, s)
	return limit > 0 && now.Sub(began) > limit
}

// Lateness says what shows whose doing it is that a step took too long.
type Lateness struct {
	// Pods that were to start: what they and their containers say.
	Pods bool
	// LoadBalancer of Google's, that was to find them healthy: whether it finds the
	// live ones healthy.
	LoadBalancer bool
}

// startLate is for pods that are to start.
func startLate(_ *v1alpha1.Release, o Observed) Lateness {
	waiting := slices.ContainsFunc(o.Target.Pods, WaitsForLoadBalancer)
	return Lateness{Pods: true, LoadBalancer: waiting && o.OnGCE()}
}

// seedLate is for the one pod that is started before there is a reference.
func seedLate(r *v1alpha1.Release, o Observed) Lateness {
	if o.Target.Release != r.Name || o.Routes.Attached(r.Status.Milestones.Target) {
		return Lateness{}
	}
	return startLate(r, o)
}

func warmLate(_ *v1alpha1.Release, o Observed) Lateness { return Lateness{LoadBalancer: o.OnGCE()} }

// Shown is what was found of a step that is late, where its [Lateness] asks for it.
type Shown struct {
	// Evidence of the target's pods.
	Evidence []v1alpha1.Evidence
	// LiveHealthy: the load balancer finds all of the live colour healthy.
	LiveHealthy bool
}

// Blame is whose doing a late step is.
type Blame struct {
	Class    v1alpha1.FailureClass
	Evidence []v1alpha1.Evidence
	// Hint is what to look at, for people; "" if there is nothing to say.
	Hint string
}

// Explain says whose doing it is. Pods that do not get ready are the release's own
// doing, unless there was no room for them. Pods that run, but not for the load
// balancer, are its doing if the load balancer finds the live ones healthy; else
// nothing can be said against it.
func Explain(l Lateness, r *v1alpha1.Release, o Observed, found Shown) Blame {
	b := Blame{Class: v1alpha1.FaultWorld}
	if l.Pods {
		b.Evidence = found.Evidence
		if !slices.ContainsFunc(found.Evidence, func(e v1alpha1.Evidence) bool { return e.Reason == "Unschedulable" }) {
			b.Class = v1alpha1.FaultRelease
		}
	}
	if !l.LoadBalancer {
		return b
	}
	for _, lack := range Warm(r, o).Lacking {
		b.Evidence = append(b.Evidence, v1alpha1.Evidence{Pod: lack.Pod, Reason: lack.Reason, Message: lack.Text})
	}
	b.Hint = "see that path and port of its health check (spec.healthCheck of the service's BackendConfig) answer 200, and that a " +
		"firewall rule lets 35.191.0.0/16 and 130.211.0.0/22 reach the pods"
	b.Class = v1alpha1.FaultWorld
	if found.LiveHealthy {
		b.Class = v1alpha1.FaultRelease
	}
	return b
}
