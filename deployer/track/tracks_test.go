package track

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// model is a world whose acts obey. Time passes, pods come and go, the live colour grows and gets
// another pod template, the image is built again, acts are cut short, people lock, cancel and
// meddle, and the world breaks.
type model struct {
	t   *testing.T
	rng *rand.Rand
	r   *v1alpha1.Release
	o   Observed
	// live is where users are routed. Once users moved to the target, front ends may send some
	// there at any later time.
	live  v1alpha1.Color
	moved bool
	// alone: nobody meddles, or nobody notices it before Next runs.
	alone bool
	// digest and template are what would be staged now.
	digest, template int
	pods             int
	gate             struct {
		digest, hash string
		pods         []string
		at           time.Time
		waited       bool // for a person, since
	}
	// share of the target, which front ends of its users may go by until drained.
	share   int32
	drained time.Time
	shares  int
	// promoted is the largest weight that people let it have; unjudged: a check of metrics has no
	// verdict for its step yet.
	promoted int32
	unjudged bool
	// foreign: somebody else has written the routes. mixed: users are on both colours since then, and
	// the rollback brings them together: the target runs, and has users.
	foreign, mixed bool
	// singleton is the side whose version it has.
	singleton v1alpha1.Color
	meddled   bool      // somebody else has changed anything
	told      time.Time // when the load balancer last said that the target is healthy
	moves     []v1alpha1.Color
}

func newModel(t *testing.T, seed uint64, kind v1alpha1.ReleaseKind) *model {
	t.Helper()
	w := &model{t: t, rng: rand.New(rand.NewPCG(seed, 1))}
	w.live = []v1alpha1.Color{v1alpha1.Blue, v1alpha1.Green}[w.rng.IntN(2)]
	w.alone = w.rng.IntN(2) == 0
	w.r = &v1alpha1.Release{Spec: v1alpha1.ReleaseSpec{Kind: kind}}
	w.r.Name = "app-1"
	w.r.Status.Milestones = v1alpha1.Milestones{Target: w.live.Other(), Previous: &v1alpha1.Version{Color: w.live}}
	w.o = Observed{Now: epoch, Freshness: 5 * time.Minute, Size: int32(1 + w.rng.IntN(3)), Routes: routesTo(w.live)}
	if w.rng.IntN(2) == 0 {
		w.o.Routes.LoadBalancer = v1alpha1.LoadBalancerGCE
	}
	w.o.Target = Side{Color: w.live.Other(), Deployment: "target", DeploymentExists: true}
	w.o.Expands = kind == v1alpha1.Deploy && w.rng.IntN(3) == 0
	if kind == v1alpha1.Deploy && w.rng.IntN(2) == 0 {
		w.o.Canary = w.steps()
		w.o.Routes.LoadBalancer = v1alpha1.LoadBalancerGateway
		w.divide(0)
	}
	if kind == v1alpha1.Rollback && w.rng.IntN(2) == 0 {
		w.mix()
	} else if kind == v1alpha1.Rollback && w.rng.IntN(2) == 0 {
		w.o.Unproven = &v1alpha1.SchemaChange{Release: "app-0"}
	}
	if w.rng.IntN(2) == 0 {
		w.o.Workers = []Worker{{Name: "mail", Queued: len(w.o.Canary) == 0 && w.rng.IntN(2) == 0, Sides: map[v1alpha1.Color]WorkerSide{
			w.live:         {Side: Side{DeploymentExists: true, Replicas: 1, RolledOut: true}},
			w.live.Other(): {Side: Side{DeploymentExists: true}},
		}}}
		w.o.Singletons, w.singleton = []Singleton{{Recreate: true}}, w.live
	}
	return w
}

// mix divides users by no release, as somebody may have left them.
func (w *model) mix() {
	w.mixed = true
	w.r.Status.Route = &v1alpha1.RouteStatus{Mixed: true}
	t := &w.o.Target
	t.Image, t.TemplateHash, t.RolledOut, t.Replicas = w.image(), "h0", true, int32(1+w.rng.IntN(2))
	w.o.Routes.LoadBalancer = v1alpha1.LoadBalancerGateway
	w.newPods(int(t.Replicas))
	w.divide(int32(1 + w.rng.IntN(int(whole)-1)))
}

// steps are some of a canary, each with a larger weight than the one before. Some end after a time,
// others when somebody promotes them.
func (w *model) steps() []v1alpha1.CanaryStep {
	var all []v1alpha1.CanaryStep
	for weight := int32(1 + w.rng.IntN(30)); weight < whole && len(all) < 4; weight += int32(1 + w.rng.IntN(40)) {
		s := v1alpha1.CanaryStep{Weight: weight, For: metav1.Duration{Duration: time.Duration(1+w.rng.IntN(600)) * time.Second}}
		if w.rng.IntN(3) == 0 {
			s.For, s.Until = metav1.Duration{}, v1alpha1.UntilPromote
		}
		all = append(all, s)
	}
	return all
}

// wanted is what somebody types while users are divided: to the next step, to a step or to another
// weight, or to all.
func (w *model) wanted() {
	to := w.r.NextWeight()
	switch w.rng.IntN(4) {
	case 0:
		to = whole
	case 1:
		to = int32(1 + w.rng.IntN(int(whole)))
	}
	w.promoted = max(w.promoted, to)
}

// disturb changes the world between two looks; calm stops that, to show that every track ends.
func (w *model) disturb(calm bool) {
	w.o.Now = w.o.Now.Add(time.Duration(w.rng.IntN(100)) * time.Second)
	if calm {
		w.unjudged = false
		return
	}
	m := &w.r.Status.Milestones
	switch w.rng.IntN(19) {
	case 16:
		w.unjudged = !w.unjudged
	case 17:
		if w.r.Divides() {
			w.wanted()
		}
	case 0:
		w.o.Size++
	case 1: // a pod is replaced
		w.newPods(len(w.o.Target.Pods))
		w.o.Endpoints = w.podNames()
	case 2:
		w.o.Endpoints = nil
	case 3:
		w.o.Now = w.o.Now.Add(time.Hour)
	case 4:
		if w.r.Status.Failure == nil && m.SwitchIntendedAt == nil && w.r.Spec.Kind == v1alpha1.Deploy {
			w.fail(v1alpha1.FaultCancelled)
		}
	case 5:
		if w.r.Status.Failure == nil {
			w.fail([]v1alpha1.FailureClass{v1alpha1.FaultWorld, v1alpha1.FaultRelease, v1alpha1.FaultSuperseded}[w.rng.IntN(3)])
		}
	case 6:
		w.o.Locked = true
	case 7: // the owner changes the live pod template, from which the target's is created
		if !w.mixed { // it is there
			w.template++
		}
	case 8: // the commit's image changes
		if m.Built != nil && m.Staged == nil {
			w.digest++
			m.Built.Image = w.image()
		}
	case 9:
		w.o.Target.RolledOut = false
	case 10:
		for i := range w.o.Groups {
			w.o.Groups[i].State = "UNHEALTHY"
		}
	case 11:
		w.meddle()
	}
}

// meddle changes the target, or the routes, as somebody else might.
func (w *model) meddle() {
	if w.mixed && w.alone { // what has users was changed, which is noticed before anything else
		return
	}
	w.meddled = true
	switch t := &w.o.Target; w.rng.IntN(6) {
	case 5: // likewise, of the same image
		t.TemplateHash, t.RolledOut = "", false
	case 4:
		if !w.alone && w.o.Routes.Gateway != nil { // other weights
			w.foreign = true
			w.divide(int32(w.rng.IntN(int(whole) + 1)))
			w.live = map[bool]v1alpha1.Color{true: t.Color, false: t.Color.Other()}[w.share == whole]
		}
	case 0:
		t.Image = "app@sha256:somebodys"
	case 1:
		t.TemplateHash = "somebodys"
	case 2: // as it is until the Deployment's controller has seen it
		t.Image, t.TemplateHash, t.RolledOut = "app@sha256:somebodys", "", false
	case 3:
		if !w.alone { // Next cannot help against that
			w.foreign = true
			w.route(w.live.Other())
		}
	}
}

func (w *model) route(c v1alpha1.Color) {
	w.live = c
	if w.o.Routes.Gateway != nil {
		w.divide(map[bool]int32{true: whole}[c == w.o.Target.Color])
		return
	}
	lb := w.o.Routes.LoadBalancer
	w.o.Routes = routesTo(c)
	w.o.Routes.LoadBalancer = lb
}

// divide gives the target a share of the users.
func (w *model) divide(share int32) {
	if share < w.share {
		w.drained = w.o.Now.Add(drains)
	}
	w.share = share
	ours, theirs := w.o.Target.Color, w.o.Target.Color.Other()
	w.o.Routes = Routes{
		Name: "shop", Exists: true, LoadBalancer: w.o.Routes.LoadBalancer, Users: map[v1alpha1.Color][]Backend{},
		Gateway: &Gateway{Rules: []Rule{{Refs: map[v1alpha1.Color]Ref{ours: {Weight: int64(share)}, theirs: {Weight: int64(whole - share)}}}}},
	}
	if share > 0 {
		w.o.Routes.Users[ours] = []Backend{{}}
	}
	if share < whole {
		w.o.Routes.Users[theirs] = []Backend{{}}
	}
	w.o.Routes = w.o.Routes.DuringRelease(w.r)
}

// drains is how long front ends may go by an earlier share.
const drains = 5 * time.Minute

// reached reports whether this release may have sent users to the target. A switch that somebody
// took back before it was recorded cannot be seen.
func (w *model) reached() bool {
	return w.moved && (w.alone || w.live == w.o.Target.Color) || w.alone && (w.share > 0 || w.o.Now.Before(w.drained))
}

func (w *model) fail(c v1alpha1.FailureClass) { w.r.Status.Failure = &v1alpha1.Failure{Class: c} }

func (w *model) image() string { return fmt.Sprint("app@sha256:", w.digest) }

func (w *model) newPods(n int) {
	w.o.Target.Pods = nil
	for range n {
		w.pods++
		w.o.Target.Pods = append(w.o.Target.Pods, Pod{Name: fmt.Sprint("p", w.pods)})
	}
	if w.o.OnGCE() {
		onGCE(&w.o)
	}
}

func (w *model) podNames() (names []string) {
	for _, p := range w.o.Target.Pods {
		names = append(names, p.Name)
	}
	return names
}

// take is an obedient act: it looks, acts as the step promises, and records that.
func (w *model) take(s v1alpha1.Step) {
	m, now := &w.r.Status.Milestones, metav1.NewTime(w.o.Now)
	if w.r.Spec.Kind == v1alpha1.Rollback && slices.Contains(UndoSteps(), s) && !slices.Contains(Steps(v1alpha1.Rollback), s) {
		w.t.Errorf("%s is done for a rollback, which is never undone", s)
	}
	switch s {
	case v1alpha1.StepBuild:
		m.Built = &v1alpha1.BuiltMilestone{Image: w.image()}
	case v1alpha1.StepExpand:
		if m.Approved == nil || w.o.Locked || m.AttachedAt != nil {
			w.t.Errorf("migrates with the approval %v, locked: %v, after its pods started: %v", m.Approved, w.o.Locked, m.AttachedAt != nil)
		}
		w.r.Status.Migration = &v1alpha1.MigrationStatus{UID: "job"}
		m.ExpandedAt = &now
	case v1alpha1.StepAttach:
		if w.o.Expands && m.ExpandedAt == nil {
			w.t.Errorf("starts pods before the schema has what they need")
		}
		m.AttachedAt = &now
	case v1alpha1.StepStage, v1alpha1.StepSize:
		w.stage()
	case v1alpha1.StepWarm:
		w.o.Endpoints = w.podNames()
		if w.o.OnGCE() {
			onGCE(&w.o)
		}
		w.told, m.WarmedAt = w.o.Now, &now
		w.r.Status.Route = &v1alpha1.RouteStatus{Mixed: w.mixed, HealthySince: &metav1.MicroTime{Time: w.o.Now.Add(-time.Hour)}}
	case v1alpha1.StepVerify:
		w.verify()
	case v1alpha1.StepPromote:
		w.promote()
	case v1alpha1.StepShift:
		w.shift()
	case v1alpha1.StepWithdraw:
		w.withdraw()
	case v1alpha1.StepWorkers:
		w.handOver()
	case v1alpha1.StepRecall:
		w.recall()
	case v1alpha1.StepRelieve:
		w.relieve()
	case v1alpha1.StepSingletons:
		w.follow()
	case v1alpha1.StepSwitch:
		w.switchTraffic()
	case v1alpha1.StepConfirm:
		m.ConfirmedAt = &now
	case v1alpha1.StepSoak:
		m.SoakedAt = &now
	case v1alpha1.StepRestore:
		w.restore()
	case v1alpha1.StepDiscard:
		if w.reached() {
			w.t.Errorf("shrinks %s, which users reach, or reached a moment ago", m.Target)
		}
		m.DiscardedAt = &now
	default:
		w.t.Errorf("there is no act for %q", s)
	}
}

func (w *model) stage() {
	t, m, want := &w.o.Target, &w.r.Status.Milestones, w.image()
	if Unsettled(w.r, w.o) { // until the Deployment's controller has seen what somebody wrote
		t.TemplateHash = "somebodys"
		return
	}
	if theirs := t.TemplateHash == "somebodys" || t.Image == "app@sha256:somebodys"; theirs && !w.alone && m.Staged != nil {
		w.t.Errorf("stages over what somebody else put on %s", t.Color)
	}
	hash := fmt.Sprint("h", w.template)
	if m.Staged != nil { // only its size is ours from now on
		want, hash = m.Staged.Image, m.Staged.TemplateHash
	}
	if w.mixed && t.Image == want && t.TemplateHash == hash { // scaled: its pods have users
		for range max(0, int(w.o.Size-t.Replicas)) {
			w.pods++
			t.Pods = append(t.Pods, Pod{Name: fmt.Sprint("p", w.pods)})
		}
		t.Replicas, t.RolledOut = max(t.Replicas, w.o.Size), true
		m.Staged = &v1alpha1.StagedMilestone{Image: t.Image, TemplateHash: t.TemplateHash, Replicas: t.Replicas}
		return
	}
	if t.Image != want || t.TemplateHash != hash || t.Replicas < w.o.Size || !t.RolledOut {
		if w.reached() {
			w.t.Errorf("stages over %s, where users are", t.Color)
		}
		t.Image, t.TemplateHash, t.RolledOut, t.Replicas = want, hash, true, max(t.Replicas, w.o.Size)
		if len(t.Pods) != int(t.Replicas) || w.rng.IntN(2) == 0 { // else they are changed in place
			w.newPods(int(t.Replicas))
		}
	}
	m.Staged = &v1alpha1.StagedMilestone{Image: t.Image, TemplateHash: t.TemplateHash, Replicas: t.Replicas}
}

// verify asks the gate of whatever runs there.
func (w *model) verify() {
	t := w.o.Target
	w.gate.digest, w.gate.hash, w.gate.pods, w.gate.at, w.gate.waited = t.Image, t.TemplateHash, w.podNames(), w.o.Now, false
	w.r.Status.Milestones.Verified = &v1alpha1.VerifiedMilestone{
		Image: t.Image, TemplateHash: t.TemplateHash, Pods: w.podNames(), At: metav1.NewTime(w.o.Now),
	}
}

// promote sometimes waits for a person, and always for an unlock.
func (w *model) promote() {
	m := &w.r.Status.Milestones
	if w.o.Locked || m.Approved == nil && w.rng.IntN(2) == 0 {
		w.gate.waited, w.o.Locked = true, false
		if m.Verified != nil {
			m.Verified.AskAgain = true
		}
	}
	m.Approved = &v1alpha1.ApprovedMilestone{By: v1alpha1.ApprovedByPolicy}
}

// switchTraffic may be cut short after its intent and after its patch.
func (w *model) switchTraffic() {
	m, now := &w.r.Status.Milestones, metav1.NewTime(w.o.Now)
	if w.o.Locked && w.r.Spec.Kind == v1alpha1.Deploy && m.SwitchIntendedAt == nil {
		w.t.Errorf("switches to %s behind a lock", m.Target)
	}
	if m.SwitchIntendedAt == nil && w.live == m.Target {
		w.t.Errorf("takes somebody else's switch to %s for its own", m.Target)
	}
	m.SwitchIntendedAt = &now
	if w.rng.IntN(4) == 0 {
		return
	}
	if w.live != m.Target {
		if w.r.Divides() { // the watch of pods that have users takes the gate's place
			w.judgeRaise(whole)
		} else {
			w.judgeMove(m.Target)
		}
		w.judgeWorkers(m.Target)
		w.route(m.Target)
		w.moves, w.moved = append(w.moves, m.Target), true
	}
	if w.rng.IntN(4) > 0 {
		m.SwitchedAt = &now
	}
}

// shift gives the target its shares as the judge says. It may be cut short after its
// intent, after its patch, and before it is known that this is in effect.
func (w *model) shift() {
	m, now := &w.r.Status.Milestones, metav1.NewMicroTime(w.o.Now)
	w.o.Holds = w.rng.IntN(4) > 0
	for {
		l := ShiftLook{Now: w.o.Now, Steps: w.o.Canary, Last: w.r.LastWeight(), Parents: ParentsWord{InEffect: w.rng.IntN(3) > 0}}
		l.Share, l.Known = w.o.Routes.Share(m.Target)
		l.Promoted, l.Patience = w.promoted, time.Hour
		if w.unjudged {
			l.Unjudged = &Wait{Until: w.o.Now.Add(time.Minute)}
		}
		if l.Last != nil {
			l.Blocked = CannotRaise(w.r, w.o)
		}
		v := l.Judge()
		if v.Outcome == ShiftRaise || v.Outcome == ShiftDone {
			w.judgeStepEnds()
		}
		switch v.Outcome {
		case ShiftUnwanted:
			w.fail(v1alpha1.FaultCancelled)
			return
		case ShiftRaise:
			w.judgeRaise(v.Weight)
			if w.r.Status.Shift == nil {
				w.r.Status.Shift = &v1alpha1.ShiftStatus{Steps: w.o.Canary}
			}
			w.r.Status.Shift.Weights = append(w.r.Status.Shift.Weights, v1alpha1.ShiftedWeight{Weight: v.Weight, IntendedAt: now})
			w.o.Routes = w.o.Routes.DuringRelease(w.r)
		case ShiftPatch:
			w.divide(l.Last.Weight)
			w.shares++
		case ShiftSeen:
			l.Last.Generation = 1
		case ShiftEffect:
			l.Last.EffectiveAt = &now
		case ShiftDone:
			m.ShiftedAt = &metav1.Time{Time: w.o.Now}
			return
		default:
			return
		}
		if w.rng.IntN(4) == 0 {
			return
		}
	}
}

// judgeStepEnds is what must hold when a step of the canary ends.
func (w *model) judgeStepEnds() {
	last := w.r.LastWeight()
	if last == nil {
		return
	}
	i := slices.IndexFunc(w.o.Canary, func(s v1alpha1.CanaryStep) bool { return s.Weight == last.Weight })
	step, promoted := w.o.Canary[i], w.promoted > last.Weight
	switch {
	case w.unjudged:
		w.t.Errorf("the step of %d %% ends, and a check of metrics has no verdict", step.Weight)
	case promoted:
	case step.Until == v1alpha1.UntilPromote:
		w.t.Errorf("the step of %d %% ends, and nobody promoted it", step.Weight)
	case w.o.Now.Sub(last.EffectiveAt.Time) < step.For.Duration:
		w.t.Errorf("the step of %d %% ends after %s of %s", step.Weight, w.o.Now.Sub(last.EffectiveAt.Time), step.For.Duration)
	}
}

// judgeRaise is what must hold when the target gets a larger share.
func (w *model) judgeRaise(weight int32) {
	m := w.r.Status.Milestones
	if w.r.LastWeight() == nil {
		w.judgeMove(m.Target)
	}
	if last := w.r.LastWeight(); last != nil && weight < whole && w.promoted < weight && weight != w.r.NextWeight() {
		w.t.Errorf("the step of %d %% is followed by %d %%, and nobody promoted it so far", last.Weight, weight)
	}
	if weight <= w.share {
		w.t.Errorf("the share of %d is followed by %d", w.share, weight)
	}
	if w.o.Locked && m.SwitchIntendedAt == nil || w.r.Status.Failure != nil {
		w.t.Errorf("%s gets a larger share, locked: %v, failed: %+v", m.Target, w.o.Locked, w.r.Status.Failure)
	}
	if t, s := w.o.Target, m.Staged; !t.RolledOut || t.Image != s.Image || t.TemplateHash != s.TemplateHash || t.Replicas < w.o.Size {
		w.t.Errorf("%s gets a larger share, and has %d of %d pods, all there: %v", m.Target, t.Replicas, w.o.Size, t.RolledOut)
	}
	if last := w.r.LastWeight(); last != nil && (last.EffectiveAt == nil || !w.o.Holds) {
		w.t.Errorf("%s gets a larger share before the one before is in effect, or is not well: %+v", m.Target, last)
	}
}

// withdraw takes the share back, and waits until that is in effect and drained.
func (w *model) withdraw() {
	m, now := &w.r.Status.Milestones, metav1.NewMicroTime(w.o.Now)
	if w.r.LastWeight().Weight != 0 {
		w.r.Status.Shift.Weights = append(w.r.Status.Shift.Weights, v1alpha1.ShiftedWeight{IntendedAt: now})
	}
	for w.rng.IntN(4) > 0 {
		l := ShiftLook{Now: w.o.Now, Steps: w.o.Canary, Last: w.r.LastWeight(), Parents: ParentsWord{InEffect: w.rng.IntN(3) > 0}}
		l.Share, l.Known = w.o.Routes.Share(m.Target)
		switch v := l.Judge(); v.Outcome {
		case ShiftPatch:
			w.divide(0)
		case ShiftSeen:
			l.Last.Generation = 1
		case ShiftEffect:
			l.Last.EffectiveAt = &now
		case ShiftDone:
			if w.o.Now.Sub(l.Last.EffectiveAt.Time) >= drains {
				m.WithdrawnAt = &metav1.Time{Time: w.o.Now}
			}
			return
		case ShiftAgain:
			return
		default:
			w.t.Errorf("a share that is taken back comes to %+v", v)
			return
		}
	}
}

func (w *model) restore() {
	m, now := &w.r.Status.Milestones, metav1.NewTime(w.o.Now)
	previous := m.Target.Other()
	if m.KeptAt != nil {
		w.t.Errorf("moves users back to %s after it was decided that they stay", previous)
	}
	switch {
	case w.live == previous:
		m.RestoredAt = &now
	case m.SwitchedAt == nil:
		m.SwitchedAt = &now
	case w.rng.IntN(4) == 0: // it cannot take them back
		m.KeptAt = &now
	default:
		w.judgeWorkers(previous)
		w.route(previous)
		w.moves = append(w.moves, previous)
		m.RestoredAt = &now
	}
}

// judgeMove checks a colour when users are moved to it.
func (w *model) judgeMove(c v1alpha1.Color) {
	t, m := w.o.Target, w.r.Status.Milestones
	bad := func(format string, args ...any) {
		w.t.Errorf("switches to %s, and %s", c, fmt.Sprintf(format, args...))
	}
	if t.Color != c || c == m.Previous.Color {
		bad("the release stages %s", t.Color)
	}
	if !t.RolledOut || t.Replicas < w.o.Size {
		bad("it has %d of %d pods, all there: %v", t.Replicas, w.o.Size, t.RolledOut)
	}
	if !slices.Equal(w.o.Endpoints, w.podNames()) {
		bad("of its pods %v only %v get requests", w.podNames(), w.o.Endpoints)
	}
	if s := m.Staged; s == nil || t.Image != s.Image || t.TemplateHash != s.TemplateHash {
		bad("it runs %s %s, not what was staged", t.Image, t.TemplateHash)
	}
	if w.o.OnGCE() && !w.o.Groups[0].Healthy() {
		bad("the load balancer finds it unhealthy")
	}
	if w.r.Spec.Kind == v1alpha1.Rollback && w.o.Unproven == nil {
		return // there is no gate
	}
	if t.Image != w.gate.digest || t.TemplateHash != w.gate.hash {
		bad("it runs %s %s: the gate passed with %s %s", t.Image, t.TemplateHash, w.gate.digest, w.gate.hash)
	}
	if age := w.o.Now.Sub(w.gate.at); age >= w.o.Freshness || w.gate.waited {
		bad("the gate passed %s ago, a person was waited for since: %v", age, w.gate.waited)
	}
	for _, pod := range w.podNames() {
		if !slices.Contains(w.gate.pods, pod) {
			bad("pod %s has not passed the gate", pod)
		}
	}
	if age := w.o.Now.Sub(w.told); w.r.Spec.Kind == v1alpha1.Deploy && w.o.OnGCE() && age >= w.o.Freshness {
		bad("the load balancer told %s ago that it is healthy", age)
	}
}

// run looks until the track ends, as the deployer does.
func (w *model) run() (ended bool) {
	for i := range 300 {
		w.disturb(i > 150)
		if !w.alone {
			if why, found := Interference(w.r, w.o); found {
				if w.mixed && !w.meddled {
					w.t.Errorf("it gives up on the users whom it was to bring together: %s", why)
				}
				w.fail(v1alpha1.FaultInterference)
			}
		}
		row, ok := Next(w.r, w.o)
		if !ok {
			return true
		}
		if f := w.r.Status.Failure; f != nil && f.Class == v1alpha1.FaultInterference {
			w.t.Errorf("%s is done although somebody else changed something", row.Name)
		}
		w.take(row.Name)
		w.judgeWork()
	}
	return false
}

// judgeEnd checks the state at the end of the track.
func (w *model) judgeEnd() {
	m, f := w.r.Status.Milestones, w.r.Status.Failure
	// Somebody may take a switch back before it is recorded.
	if w.alone && len(w.moves) > 2 || w.alone && len(w.moves) == 2 && (w.r.Spec.Kind == v1alpha1.Rollback || w.moves[1] != m.Previous.Color) {
		w.t.Errorf("traffic was moved to %v", w.moves)
	}
	if w.mixed && f == nil && w.alone && w.share != whole {
		w.t.Errorf("users were to be brought together, and %s has %d %% of them", m.Target, w.share)
	}
	if w.share > 0 && w.share < whole && !w.foreign && (!w.mixed || f == nil) && (f == nil || f.Class != v1alpha1.FaultInterference) {
		w.t.Errorf("it has ended, and %s has %d %% of the users: %+v", m.Target, w.share, f)
	}
	w.judgeWorkersAtTheEnd()
	w.judgeSingletons()
	if f == nil {
		if w.live != m.Target {
			w.t.Errorf("it succeeded, and users are on %s", w.live)
		}
		return
	}
	if w.alone && w.r.Spec.Kind == v1alpha1.Deploy && m.Staged != nil && !w.moved && m.DiscardedAt == nil {
		w.t.Error("the target keeps its size although no user was ever there")
	}
	back := w.alone && len(w.moves) == 2
	if back && (f.Class == v1alpha1.FaultWorld || f.Class == v1alpha1.FaultSuperseded) {
		w.t.Errorf("traffic was moved back for the %s's sake", f.Class)
	}
	if fails := f.Class == v1alpha1.FaultRelease && w.r.Spec.Kind == v1alpha1.Deploy; w.alone && fails && w.live == m.Target &&
		m.KeptAt == nil {
		w.t.Error("users are left with what failed")
	}
}

// Every track whose acts obey ends. A colour that users may reach is never shrunk or staged over.
// Except for a rollback, traffic only moves to a colour that passed its gate with that very
// digest and pod template. A rollback never moves to the version that it leaves. A step of a canary
// ends only by its time, by a person's word and with its metrics. Workers of some version always run,
// those of a new one only once it is approved, and at the end those of the users' version; and unless somebody else has
// changed the weights, one colour has all users at the end.
func TestTracksAlwaysEndAndNeverHarmUsers(t *testing.T) {
	t.Parallel()
	switches, shares := 0, 0
	for seed := range uint64(20000) {
		for _, kind := range []v1alpha1.ReleaseKind{v1alpha1.Deploy, v1alpha1.Rollback} {
			w := newModel(t, seed, kind)
			if w.run() {
				w.judgeEnd()
			} else {
				row, _ := Next(w.r, w.o)
				t.Errorf("it has not ended, it is at %s", row.Name)
			}
			if t.Failed() {
				t.Fatalf("seed %d, %s to %s", seed, kind, w.r.Status.Milestones.Target)
			}
			switches += len(w.moves)
			shares += w.shares
		}
	}
	if shares < 2000 {
		t.Errorf("only %d shares were given: the model tries nothing", shares)
	}
	if switches < 5000 {
		t.Errorf("only %d switches were made: the model tries nothing", switches)
	}
}
