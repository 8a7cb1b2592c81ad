package deployer

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// story is a course of events at an application, with the points where a version may be replaced
// by the next.
type story struct {
	name string
	// start creates the world and the story's release.
	start      func(testing.TB) (*world, *v1alpha1.Release)
	milestones []milestone
	// finish checks what this version makes of a world recorded there.
	finish func(*world, milestone)
}

// milestone is the point where a story's process ends.
type milestone struct {
	name string
	// last is the write after which it ends.
	last func(write) bool
	// refuse selects earlier writes that the API server rejects, so that the release waits.
	refuse func(write) bool
	// during is what happens in the meantime. Optional.
	during func(*world, *v1alpha1.Release)
	// mend repairs the world before the next version starts. Optional.
	mend func(*world)

	// patches is how many patches of the routes are still to come.
	patches int64
	// unswitched: the target's pass is not final, so a version that breaks now never gets users.
	unswitched bool
	// phase is how an undone release ends.
	phase v1alpha1.ReleasePhase
}

// stories are about an application with autoscalers, whose gate takes two rounds.
var stories = []story{
	{name: "deploy", start: startDeploy, milestones: deployMilestones, finish: finishDeploy},
	{name: "undo", start: startUndo, milestones: undoMilestones, finish: finishUndo},
	{name: "rollback", start: startRollback, milestones: rollbackMilestones, finish: finishRollback},
	{name: "queue", start: startQueue, milestones: queueMilestones, finish: finishQueue},
	{name: "gateway", start: startOnGateway, milestones: gatewayMilestones, finish: finishDeploy},
	{name: "expand", start: startExpand, milestones: expandMilestones, finish: finishExpand},
	{name: "contract", start: startContract, milestones: contractMilestones, finish: finishContract},
	{name: "images-rollback", start: startImagesRollback, milestones: imagesMilestones, finish: finishImagesRollback},
}

var deployMilestones = []milestone{
	{name: "01-claimed", last: of(claimed), patches: 2, unswitched: true},
	{name: "02-build-intended", last: of(buildIntended), patches: 2, unswitched: true},
	{name: "03-building", last: of(building), patches: 2, unswitched: true},
	{name: "04-built", last: of(track.Built), refuse: firstRoutes, patches: 2, unswitched: true},
	{name: "05-attaching", last: firstRoutes, patches: 1, unswitched: true},
	{name: "06-attached", last: of(attached), patches: 1, unswitched: true},
	{name: "07-staging", last: made(patchGreen, 1), patches: 1, unswitched: true},
	{name: "08-staged", last: of(staged), during: (*world).loseGreen, mend: (*world).findGreen, patches: 1, unswitched: true},
	{name: "09-warmed", last: of(warmed), patches: 1, unswitched: true},
	{name: "10-waits-for-approval", last: of(waits), patches: 1, unswitched: true},
	{name: "11-approved", last: of(approved), during: (*world).promote, patches: 1, unswitched: true},
	{name: "12-switch-intended", last: of(switchIntended), during: (*world).promote, patches: 1, unswitched: true},
	{name: "13-switching", last: made(patchRoutes, 2), during: (*world).promote},
	{name: "14-switched", last: of(track.Switched), during: (*world).promote},
	{name: "15-confirming", last: of(confirming), during: (*world).promote},
	{name: "16-soaking", last: of(soaking), during: (*world).promote},
	{name: "17-succeeded", last: of(hasEnded), during: (*world).promote},
	{name: "18-held", last: letGo, during: (*world).promote},
}

var undoMilestones = []milestone{
	{name: "01-failed", last: of(fails), refuse: made(patchGreen, 2), during: (*world).crashNew, phase: v1alpha1.ReleaseFailed},
	{name: "02-cancelled", last: of(fails), refuse: made(patchGreen, 2), during: (*world).cancelWaiting, phase: v1alpha1.ReleaseCancelled},
	{name: "03-discarding", last: made(patchGreen, 2), during: (*world).cancelWaiting, phase: v1alpha1.ReleaseCancelled},
	{name: "04-discarded", last: of(hasEnded), during: (*world).crashNew, phase: v1alpha1.ReleaseFailed},
	{name: "05-restoring", last: of(fails), during: (*world).restartNew, patches: 1, phase: v1alpha1.ReleaseFailed},
	{name: "06-moving-back", last: made(patchRoutes, 3), during: (*world).restartNew, phase: v1alpha1.ReleaseFailed},
	{name: "07-restored", last: of(hasEnded), during: (*world).restartNew, phase: v1alpha1.ReleaseFailed},
}

var rollbackMilestones = []milestone{
	{name: "01-claimed", last: of(claimed), patches: 1},
	{name: "02-sizing", last: made(patchBlue, 1), patches: 1},
	{name: "03-sized", last: of(staged), during: (*world).loseBlue, mend: (*world).findBlue, patches: 1},
	{name: "04-switch-intended", last: of(switchIntended), patches: 1},
	{name: "05-switching", last: firstRoutes},
	{name: "06-switched", last: of(track.Switched)},
	{name: "07-confirming", last: of(confirming)},
	{name: "08-succeeded", last: of(hasEnded)},
	{name: "09-over", last: letGo},
}

var queueMilestones = []milestone{
	{name: "01-waits-its-turn", last: of(waitsItsTurn), refuse: every(patchRoutes), during: (*world).pushNext, patches: 3},
	{name: "02-built-ahead", last: of(builtAhead), during: (*world).pushNextInSoak, patches: 1},
	{name: "03-locked", last: of(waitsItsTurn), during: (*world).pushNextLocked, patches: 1},
	{name: "04-locked-before-the-switch", last: of(waits), during: (*world).lockBuilt, patches: 1},
}

// Writes.

// of is the write of a release for which holds becomes true.
func of(holds func(*v1alpha1.Release) bool) func(write) bool {
	return func(w write) bool { return w.rel != nil && holds(w.rel) }
}

// made is the nth write of a kind.
func made(what string, nth int) func(write) bool {
	return func(w write) bool { return w.what == what && w.nth == nth }
}

const (
	patchGreen  = "PATCH deployments/my-python-app-green"
	patchBlue   = "PATCH deployments/my-python-app-blue"
	patchRoutes = "PATCH ingresses/my-python-app-ingress"
)

func every(what string) func(write) bool { return func(w write) bool { return w.what == what } }

var firstRoutes = made(patchRoutes, 1)

// letGo is the write that releases the claim.
func letGo(w write) bool {
	if w.bg == nil || w.bg.Status.Active != nil {
		return false
	}
	return w.bg.Status.Phase == v1alpha1.PhaseHolding || w.bg.Status.Phase == v1alpha1.PhaseIdle
}

func claimed(r *v1alpha1.Release) bool { return r.Status.Milestones.ClaimedAt != nil }

func buildIntended(r *v1alpha1.Release) bool { return r.Status.Build != nil && r.Status.Build.ID == "" }

func building(r *v1alpha1.Release) bool { return r.Status.Build != nil && r.Status.Build.ID != "" }

func confirming(r *v1alpha1.Release) bool { return r.Status.Step == v1alpha1.StepConfirm }

func soaking(r *v1alpha1.Release) bool { return r.Status.Milestones.SoakStartedAt != nil }

func waits(r *v1alpha1.Release) bool { return r.Status.Phase == v1alpha1.ReleaseWaiting }

func fails(r *v1alpha1.Release) bool { return r.Status.Failure != nil && !hasEnded(r) }

func hasEnded(r *v1alpha1.Release) bool { return r.Status.Phase.Finished() }

func switchIntended(r *v1alpha1.Release) bool { return r.Status.Milestones.SwitchIntendedAt != nil }

func attached(r *v1alpha1.Release) bool     { return r.Status.Milestones.AttachedAt != nil }
func staged(r *v1alpha1.Release) bool       { return r.Status.Milestones.Staged != nil }
func warmed(r *v1alpha1.Release) bool       { return r.Status.Milestones.WarmedAt != nil }
func approved(r *v1alpha1.Release) bool     { return r.Status.Milestones.Approved != nil }
func waitsItsTurn(r *v1alpha1.Release) bool { return second(r) && !track.Built(r) }
func builtAhead(r *v1alpha1.Release) bool   { return second(r) && track.Built(r) }

// second: the release of commit b is queued.
func second(r *v1alpha1.Release) bool {
	return r.Status.Phase == v1alpha1.ReleaseQueued && strings.HasPrefix(r.Spec.Deploy.Commit, "b")
}

// Worlds.

func startDeploy(t testing.TB) (*world, *v1alpha1.Release) {
	return startWith(t, manual, soaks(time.Second))
}

func startUndo(t testing.TB) (*world, *v1alpha1.Release) {
	return startWith(t, manual, soaks(time.Hour))
}

func startQueue(t testing.TB) (*world, *v1alpha1.Release) { return startWith(t, soaks(4*time.Second)) }

func startWith(t testing.TB, change ...func(*v1alpha1.BlueGreen)) (*world, *v1alpha1.Release) {
	t.Helper()
	w := newWorld(t, append(change, func(bg *v1alpha1.BlueGreen) {
		bg.Spec.Gate.Consecutive, bg.Spec.Gate.Interval = 2, *duration(200 * time.Millisecond)
	})...)
	w.source.commit("b", "a")
	w.autoscaleBoth()
	return w, w.submit("a")
}

// startRollback rolls back after the previous version was shrunk.
func startRollback(t testing.TB) (*world, *v1alpha1.Release) {
	t.Helper()
	w, rel := startWith(t, holds(0))
	stop := w.run()
	w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
	w.settled()
	w.awaitShrunk(v1alpha1.Blue)
	w.until("the shrinking to be recorded", func() bool { return w.application().Status.LastSwitch.Shrunk }, func() string { return "" })
	stop()
	return w, w.rollback()
}

// What happens meanwhile.

// promote approves a release once it waits for that.
func (w *world) promote(rel *v1alpha1.Release) {
	w.t.Helper()
	w.awaitPhase(rel, v1alpha1.ReleaseWaiting)
	w.approve(rel)
}

func (w *world) crashNew(*v1alpha1.Release) { w.kubelet.crash("@sha256:") }

func (w *world) cancelWaiting(rel *v1alpha1.Release) {
	w.t.Helper()
	w.awaitPhase(rel, v1alpha1.ReleaseWaiting)
	w.cancel(rel)
}

func (w *world) loseGreen(*v1alpha1.Release) { w.lose(v1alpha1.Green, "@sha256:") }
func (w *world) loseBlue(*v1alpha1.Release)  { w.lose(v1alpha1.Blue, "my-python-app") }
func (w *world) findGreen()                  { w.find(v1alpha1.Green) }
func (w *world) findBlue()                   { w.find(v1alpha1.Blue) }

// lose makes a colour's Service select nothing from the start of pods with such an image until
// they are ready.
func (w *world) lose(c v1alpha1.Color, image string) {
	w.t.Helper()
	w.kubelet.hold(image)
	w.until("a new pod", func() bool {
		var pods corev1.PodList
		check(w.t, w.kube.List(w.t.Context(), &pods, client.InNamespace(w.namespace), client.MatchingLabels{"version": string(c)}))
		return slices.ContainsFunc(pods.Items, func(p corev1.Pod) bool {
			ready := conditionOf(&p, corev1.PodReady)
			return ready != nil && ready.Status == corev1.ConditionFalse && strings.Contains(p.Spec.Containers[0].Image, image)
		})
	}, func() string { return "" })
	w.patch(w.service(c), `{"spec":{"selector":null}}`)
	w.kubelet.release(w.t, image)
}

func (w *world) find(c v1alpha1.Color) {
	w.t.Helper()
	w.patch(w.service(c), `{"spec":{"selector":{"app":"my-python-app","version":"`+string(c)+`"}}}`)
}

// restartNew makes the new version crash twice under live traffic.
func (w *world) restartNew(rel *v1alpha1.Release) {
	w.t.Helper()
	w.promote(rel)
	w.await(rel, "soak", soaking)
	w.countRestarts(rel)
}

// countRestarts has the pods of a release restarted twice.
func (w *world) countRestarts(rel *v1alpha1.Release) {
	w.t.Helper()
	var pods corev1.PodList
	check(w.t, w.kube.List(w.t.Context(), &pods, client.InNamespace(w.namespace), client.MatchingLabels{"version": "green"}))
	for i := range pods.Items {
		pod := &pods.Items[i]
		if pod.DeletionTimestamp == nil && pod.Annotations[v1alpha1.ReleaseAnnotation] == rel.Name {
			pod.Status.ContainerStatuses[0].RestartCount = 2
			check(w.t, w.kube.Status().Update(w.t.Context(), pod))
		}
	}
}

// pushNext adds a second release while the first one builds.
func (w *world) pushNext(rel *v1alpha1.Release) {
	w.t.Helper()
	w.await(rel, "to build", building)
	w.submit("b")
}

func (w *world) pushNextInSoak(rel *v1alpha1.Release) {
	w.t.Helper()
	w.await(rel, "soak", soaking)
	w.submit("b")
}

// pushNextLocked adds a second release after the first one has ended and the application was
// locked.
func (w *world) pushNextLocked(rel *v1alpha1.Release) {
	w.t.Helper()
	w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
	w.settled()
	w.lock("audit")
	w.submit("b")
}

// lockBuilt locks the application while the first release builds.
func (w *world) lockBuilt(rel *v1alpha1.Release) {
	w.t.Helper()
	w.await(rel, "to build", building)
	w.lock("audit")
}
