package command

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// WayBack says how users would return to the version before the live one.
type WayBack struct {
	// Instant reports that the deployer sees as many ready endpoints of that version as
	// users need.
	Instant bool
	// Lacks says why it is not instant; nil if it is.
	Lacks *Fact
	// About is how long its pods will take to start and warm up: the longest time among the
	// last releases. It is 0 if none was measured, or if it is instant.
	About time.Duration
	// IfHealthy says that the version's health gate decides first, and why; nil if it does not.
	// Then nothing is certain, however fast it is.
	IfHealthy *Fact
	// Longer is how much longer it may take: Google's load balancer does not report each
	// pod's health while it has nothing of the colour.
	Longer time.Duration
}

// Closed reports whether a contract closed the way back: a rollback would be refused.
func (w WayBack) Closed() bool { return w.Lacks != nil && w.Lacks.Code == CodeWayClosed }

// unreported is how much longer a colour warms up if Google's load balancer does not report
// on each pod: then it must report the colour as healthy for some time, and Turnout polls
// it only now and then.
const unreported = v1alpha1.DefaultSettle + 10*time.Second

// MayTakeLonger is how much longer a start from nothing takes than a measured release, if
// the load balancer reports less this time.
func MayTakeLonger(app *v1alpha1.BlueGreen, measured *v1alpha1.RouteStatus) time.Duration {
	if measured == nil || measured.LoadBalancer != v1alpha1.LoadBalancerGCE || measured.HealthySince != nil || app.Spec.StandbyReplicas > 0 {
		return 0
	}
	return unreported
}

// measuredReleases is how many releases are compared: the last ones that started pods.
const measuredReleases = 5

// FindWayBack says how users would return to a version. The releases are the application's,
// newest first.
func FindWayBack(app *v1alpha1.BlueGreen, to *v1alpha1.Version, releases []v1alpha1.Release) WayBack {
	var back *v1alpha1.RollbackSpec
	if mixed := app.Status.Mixed; mixed != nil {
		back = mixed.Back
	}
	if lacks := closedBack(app, back, to, releases); lacks != nil {
		return WayBack{Lacks: lacks}
	}
	if last := app.Status.LastSwitch; back == nil && last != nil {
		back = &v1alpha1.RollbackSpec{Switch: last.UID}
	}
	w := WayBack{IfHealthy: ifHealthy(app, back, to), Lacks: missing(app, to, releases)}
	if w.Lacks == nil {
		w.Instant = true
		return w
	}
	if longest := slowestOf(releases); longest != nil {
		w.About, w.Longer = tookToStart(longest), MayTakeLonger(app, longest.Status.Route)
	}
	return w
}

// ifHealthy says that the health gate decides about a rollback; nil if it does not.
func ifHealthy(app *v1alpha1.BlueGreen, back *v1alpha1.RollbackSpec, to *v1alpha1.Version) *Fact {
	change := app.Status.Unproven(back)
	if change == nil {
		return nil
	}
	return &Fact{CodeBackIfHealthy, Args{Other: to, Release: change.Release, At: &change.At}}
}

// closedBack says that a contract closed the way back of a rollback, or of the last switch
// without one; nil if it is open.
func closedBack(app *v1alpha1.BlueGreen, back *v1alpha1.RollbackSpec, to *v1alpha1.Version, releases []v1alpha1.Release) *Fact {
	by := app.Status.ClosedBack(back, releases)
	if by == nil {
		return nil
	}
	because := CodeContractDone
	switch {
	case !by.Closed():
		because = CodeContractEarlier
	case by.DoneBy != "":
	case by.Outcome == v1alpha1.MigrationFailed:
		because = CodeContractFailed
	case by.Outcome == v1alpha1.MigrationUnknown:
		because = CodeContractUnknown
	case by.Outcome == "":
		because = CodeContractRuns
	}
	at := by.ClosedAt()
	return &Fact{CodeWayClosed, Args{Other: to, Release: by.Release, At: &at, Because: &Fact{because, Args{Release: by.Release}}}}
}

// missing says why users could not return to a version at once; nil if they could. The
// deployer reports the ready endpoints. The record has the better reason, and may be newer.
func missing(app *v1alpha1.BlueGreen, to *v1alpha1.Version, releases []v1alpha1.Release) *Fact {
	if app.Status.Mixed != nil { // the colour has users
		return MissingNow(app, to.Color)
	}
	last := app.Status.LastSwitch
	since := time.Time{}
	if last != nil && last.From.Color == to.Color {
		since = last.At.Time
	}
	over := StagedOver(to.Color, since, releases)
	switch {
	case last != nil && last.From.Color == to.Color && last.Shrunk:
		return &Fact{CodeShrunk, Args{Color: to.Color}}
	case over != nil:
		return &Fact{CodeStagedOver, Args{Version: versionOf(over), Color: to.Color}}
	}
	return MissingNow(app, to.Color)
}

// MissingNow says what a colour lacks, as the deployer sees it; nil if nothing.
func MissingNow(app *v1alpha1.BlueGreen, color v1alpha1.Color) *Fact {
	switch now := app.Status.WayBack; {
	case now == nil || now.Color != color:
		return &Fact{CodeNotLookedAt, Args{Color: color}}
	case now.Missing != "":
		return &Fact{CodeTooFewReady, Args{Color: color, Reason: now.Missing}}
	}
	return nil
}

// StagedOver returns a deploy that staged its version on a colour after a time and did not
// move users there; nil if there is none.
func StagedOver(color v1alpha1.Color, since time.Time, releases []v1alpha1.Release) *v1alpha1.Release {
	for i := range releases {
		rel := &releases[i]
		if rel.Spec.Deploy == nil || rel.Status.Milestones.Target != color {
			continue
		}
		for _, entry := range rel.Status.Timeline {
			if entry.Step == v1alpha1.StepStage && entry.StartedAt.After(since) {
				return rel
			}
		}
	}
	return nil
}

// slowestOf returns the release among the last ones that took longest to start and warm its
// pods; nil if none did. The fastest show nothing, since a rollback within the hold starts
// no pods.
func slowestOf(releases []v1alpha1.Release) *v1alpha1.Release {
	var longest *v1alpha1.Release
	measured := 0
	for i := range releases {
		took := tookToStart(&releases[i])
		if took == 0 {
			continue
		}
		if longest == nil || took > tookToStart(longest) {
			longest = &releases[i]
		}
		if measured++; measured == measuredReleases {
			break
		}
	}
	return longest
}

// tookToStart is how long a release took to start and warm its pods; 0 if its timeline does
// not show that, or if it did not start all of them.
func tookToStart(rel *v1alpha1.Release) time.Duration {
	started, warmed := time.Duration(0), time.Duration(0)
	for _, entry := range rel.Status.Timeline {
		if entry.FinishedAt == nil {
			continue
		}
		took := entry.FinishedAt.Sub(entry.StartedAt.Time)
		switch entry.Step {
		case v1alpha1.StepStage, v1alpha1.StepSize:
			started += took
		case v1alpha1.StepWarm:
			warmed += took
		default: // the others need no new pods
		}
	}
	failed := rel.Status.Failure != nil &&
		(rel.Status.Failure.Step == v1alpha1.StepStage || rel.Status.Failure.Step == v1alpha1.StepSize ||
			rel.Status.Failure.Step == v1alpha1.StepWarm)
	if started == 0 || failed {
		return 0
	}
	return started + warmed
}

// fact is the answer to a rollback that was just accepted.
func (w WayBack) fact(to *v1alpha1.Version) Fact {
	if w.Instant {
		return Fact{CodeBackAtOnce, Args{Other: to}}
	}
	return Fact{CodeBackOnceStarted, Args{
		Other: to, Because: w.Lacks, About: metav1.Duration{Duration: w.About}, Longer: metav1.Duration{Duration: w.Longer},
	}}
}
