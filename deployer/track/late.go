package track

import (
	"slices"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// buildAllowance is added to a build's timeout for queueing and for outages of the source, such
// as GitHub's.
const buildAllowance = time.Hour

func buildTime(bg *v1alpha1.BlueGreen) time.Duration {
	return bg.Spec.Build.Timeout.Duration + buildAllowance
}
func stageTime(bg *v1alpha1.BlueGreen) time.Duration   { return bg.Spec.Deadlines.Stage.Duration }
func warmTime(bg *v1alpha1.BlueGreen) time.Duration    { return bg.Spec.Deadlines.Warm.Duration }
func confirmTime(bg *v1alpha1.BlueGreen) time.Duration { return bg.Spec.Deadlines.Confirm.Duration }

// gateTime covers a gate that never starts; once started, the gate has its own timeout.
func gateTime(bg *v1alpha1.BlueGreen) time.Duration {
	return bg.Spec.Gate.Timeout.Duration + time.Minute
}

// switchTime includes the baseline, which is taken before the switch.
func switchTime(bg *v1alpha1.BlueGreen) time.Duration {
	return confirmTime(bg) + bg.Spec.Proof.BaselineTime()
}

// Limit is how long a step may take; 0 means without limit.
func Limit(bg *v1alpha1.BlueGreen, s v1alpha1.Step) time.Duration {
	if row := RowOf(s); row.Deadline != nil {
		return row.Deadline(bg)
	}
	return 0
}

// Overdue reports whether a step that began at the given time has taken too long.
func Overdue(bg *v1alpha1.BlueGreen, s v1alpha1.Step, began, now time.Time) bool {
	limit := Limit(bg, s)
	return limit > 0 && now.Sub(began) > limit
}

// Lateness selects the evidence that shows why a step is late.
type Lateness struct {
	// Pods: pods should have started; look at them and their containers.
	Pods bool
	// LoadBalancer: Google's load balancer should have found them healthy; check whether it finds
	// the live ones healthy.
	LoadBalancer bool
	// Workers: the target's workers should have started; look at their pods, like Pods.
	Workers bool
}

// startLate is for steps that wait for pods to start.
func startLate(_ *v1alpha1.Release, o Observed) Lateness {
	waiting := slices.ContainsFunc(o.Target.Pods, WaitsForLoadBalancer)
	return Lateness{Pods: true, LoadBalancer: waiting && o.OnGCE()}
}

// seedLate is for the single pod that starts before there is a reference.
func seedLate(r *v1alpha1.Release, o Observed) Lateness {
	if o.Target.Release != r.Name || o.Routes.Attached(r.Status.Milestones.Target) {
		return Lateness{}
	}
	return startLate(r, o)
}

func warmLate(_ *v1alpha1.Release, o Observed) Lateness { return Lateness{LoadBalancer: o.OnGCE()} }

// workersLate is for the target's workers, which should have started.
func workersLate(r *v1alpha1.Release, o Observed) Lateness {
	_, waits := o.Idle(r.Status.Milestones.Target)
	return Lateness{Workers: waits}
}

// Shown is the evidence that a late step's [Lateness] selects.
type Shown struct {
	// Evidence of the target's pods.
	Evidence []v1alpha1.Evidence
	// LiveHealthy: the load balancer finds all of the live colour healthy.
	LiveHealthy bool
}

// Blame is the cause of a late step.
type Blame struct {
	Class    v1alpha1.FailureClass
	Evidence []v1alpha1.Evidence
	// Hint is what people should look at; "" if there is none.
	Hint string
}

// Explain finds the cause of a late step. If pods do not become ready, the release is at fault,
// unless there was no room for them. If pods run but the load balancer does not find them
// healthy, the release is at fault only if the load balancer finds the live ones healthy.
func Explain(l Lateness, r *v1alpha1.Release, o Observed, found Shown) Blame {
	b := Blame{Class: v1alpha1.FaultWorld}
	if l.Pods || l.Workers {
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
	b.Hint = "check that the path and port of its health check (spec.healthCheck of the service's BackendConfig) answer 200, and that a " +
		"firewall rule lets 35.191.0.0/16 and 130.211.0.0/22 reach the pods"
	b.Class = v1alpha1.FaultWorld
	if found.LiveHealthy {
		b.Class = v1alpha1.FaultRelease
	}
	return b
}
