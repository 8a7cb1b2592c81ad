package deployer

import (
	"slices"
	"strings"
	"testing"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// workerJourneys have cells for the effects that concern workers only.
var workerJourneys = []string{"deploy with a worker", "undo with a worker", "rollback with a worker"}

// ofWorkers: an effect concerns the workers.
func ofWorkers(effect string) bool {
	return strings.Contains(effect, "/mail-") || slices.Contains([]string{
		"release: WorkersIntendedAt", "release: WorkersAt", "release: RecalledAt", "release: RelievedAt", "release: SwitchIntendedAt",
		"release: SwitchedAt",
	}, effect)
}

var workersDeploy = journey{name: "deploy with a worker", start: func(t testing.TB) (*world, *v1alpha1.Release) {
	w := newWorldWithWorker(t)
	return w, w.submit("a")
}, expect: func(w *world, rel *v1alpha1.Release) {
	w.expectDeployed(rel)
	w.expectWorkers(0, workersSize, true)
}, effects: []string{
	"POST configmaps",
	"release: OnBranch",
	"application: Active",
	"release: ClaimedAt",
	"release: Build.IntendedAt",
	"CreateBuild",
	"release: Build.ID",
	"PATCH ingresses/ingress add rules/- add annotations/standby.my-python-app",
	"release: Built",
	"release: AttachedAt",
	"PATCH deployments/green replace template add replicas",
	"release: Staged",
	"release: WarmedAt",
	"release: Verified",
	"release: Approved",
	"release: WorkersIntendedAt",
	startGreen,
	stopBlue,
	"PATCH deployments/green add annotations/switch",
	"release: WorkersAt",
	"release: SwitchIntendedAt",
	"PATCH ingresses/ingress replace rules/http/paths/backend/service/name",
	"release: SwitchedAt",
	"application: LastSwitch",
	"release: ConfirmedAt",
	"release: SoakStartedAt",
	"release: SoakedAt",
	"release: FinishedAt",
	"application: no Active",
}}

var workersUndo = journey{name: "undo with a worker", ends: v1alpha1.ReleaseFailed, start: func(t testing.TB) (*world, *v1alpha1.Release) {
	w := newWorldWithWorker(t)
	w.kubelet.crash("mail-green")
	return w, w.submit("a")
}, expect: func(w *world, _ *v1alpha1.Release) {
	w.settled()
	w.expectWorkers(workersSize, 0, true)
	w.expectSizes(w.replicas, 0)
}, effects: []string{
	"POST configmaps",
	"release: OnBranch",
	"application: Active",
	"release: ClaimedAt",
	"release: Build.IntendedAt",
	"CreateBuild",
	"release: Build.ID",
	"PATCH ingresses/ingress add rules/- add annotations/standby.my-python-app",
	"release: Built",
	"release: AttachedAt",
	"PATCH deployments/green replace template add replicas",
	"release: Staged",
	"release: WarmedAt",
	"release: Verified",
	"release: Approved",
	"release: WorkersIntendedAt",
	startGreen,
	"PATCH deployments/mail-blue add annotations/workers",
	stopGreen,
	"release: RecalledAt",
	"release: RelievedAt",
	"PATCH deployments/green add replicas",
	"release: DiscardedAt",
	"release: FinishedAt",
}}

var workersRollback = journey{name: "rollback with a worker", start: func(t testing.TB) (*world, *v1alpha1.Release) {
	w := newWorldWithWorker(t)
	w.pretendDeployed()
	w.moveWorkers()
	return w, w.rollback()
}, expect: func(w *world, rel *v1alpha1.Release) {
	w.expectRolledBack(rel)
	w.expectWorkers(workersSize, 0, false)
}, effects: []string{
	"application: Active",
	"release: ClaimedAt",
	recallBlue,
	"release: RecalledAt",
	"PATCH deployments/blue add annotations/switch",
	"release: Staged",
	"release: WarmedAt",
	"release: SwitchIntendedAt",
	"PATCH ingresses/ingress replace rules/http/paths/backend/service/name",
	"release: SwitchedAt",
	"application: LastSwitch",
	"application: RolledBack",
	"release: ConfirmedAt",
	stopGreen,
	"release: RelievedAt",
	"release: FinishedAt",
	"application: no Active",
	"POST configmaps",
}}

// moveWorkers sets the worker to the state after a deploy to green.
func (w *world) moveWorkers() {
	w.t.Helper()
	none, size := int32(0), int32(workersSize)
	blue, green := w.worker(v1alpha1.Blue, 0), w.worker(v1alpha1.Green, 0)
	w.get(blue)
	w.get(green)
	blue.Spec.Replicas, green.Spec.Replicas = &none, &size
	blue.Annotations[v1alpha1.WorkersAnnotation], blue.Annotations[v1alpha1.SizeAnnotation] = "pretended", "2"
	green.Annotations[v1alpha1.WorkersAnnotation] = "pretended"
	check(w.t, w.kube.Update(w.t.Context(), blue))
	check(w.t, w.kube.Update(w.t.Context(), green))
}
