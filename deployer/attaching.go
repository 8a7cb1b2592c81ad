package deployer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/internal/prose"
)

const (
	// attachEvery is how often to look for volumes that cannot be attached: nothing watches events.
	attachEvery = 10 * time.Second
	// attachEvents bounds how many events are read.
	attachEvents = 200
)

// attaching reports volumes that keep the target's pods from starting since another node has them.
// That they are not reported shows nothing: events get lost.
type attaching struct{ cached, uncached client.Reader }

// look reports what Kubernetes says of the target's pods, and returns when to look again; zero if
// that is not necessary. It is only advice: a failed look stops nothing.
func (t attaching) look(ctx context.Context, a *attempt) time.Time {
	waiting := map[string]bool{}
	for _, p := range a.o.Target.Pods {
		if !p.ContainersReady && !p.Terminating {
			waiting[p.Name] = true
		}
	}
	if len(waiting) == 0 {
		return time.Time{}
	}
	names, err := t.claims(ctx, a)
	if err == nil && len(names) == 0 {
		return time.Time{}
	}
	if err == nil {
		err = t.tell(ctx, a, waiting, names)
	}
	if err != nil {
		a.log.WarnContext(ctx, "whether the pods wait for their volumes is not known", "error", err)
	}
	return a.o.Now.Add(attachEvery)
}

// claims are the PersistentVolumeClaims that the target's pods mount.
func (t attaching) claims(ctx context.Context, a *attempt) (names []string, err error) {
	var d appsv1.Deployment
	if err := t.cached.Get(ctx, client.ObjectKey{Namespace: a.bg.Namespace, Name: a.o.Target.Deployment}, &d); err != nil {
		return nil, fmt.Errorf("reading deployment %s: %w", a.o.Target.Deployment, err)
	}
	for _, v := range d.Spec.Template.Spec.Volumes {
		if v.PersistentVolumeClaim != nil {
			names = append(names, v.PersistentVolumeClaim.ClaimName)
		}
	}
	return names, nil
}

// tell reports pods with a Multi-Attach error, as Kubernetes' controller of volumes words it
// (pkg/controller/volume/attachdetach/reconciler/reconciler.go, reportMultiAttachError).
func (t attaching) tell(ctx context.Context, a *attempt, waiting map[string]bool, claims []string) error {
	var list corev1.EventList
	of := client.MatchingFields{"involvedObject.kind": "Pod", "reason": "FailedAttachVolume"}
	if err := t.uncached.List(ctx, &list, client.InNamespace(a.bg.Namespace), of, client.Limit(attachEvents)); err != nil {
		return fmt.Errorf("listing the events of pods: %w", err)
	}
	i := slices.IndexFunc(list.Items, func(e corev1.Event) bool {
		return waiting[e.InvolvedObject.Name] && strings.HasPrefix(e.Message, "Multi-Attach error")
	})
	if i < 0 {
		return nil
	}
	e := list.Items[i]
	a.finding(fmt.Sprintf("pods of deployment %s wait for a volume that another node has; users are not affected, and the release ends "+
		"after %s (spec.deadlines.stage) unless the volume comes free: make the claim (%s) one that is ReadWriteMany. Kubernetes says "+
		"of pod %s: %s",
		a.o.Target.Deployment, prose.Setting(a.bg.Spec.Deadlines.Stage.Duration), strings.Join(claims, ", "), e.InvolvedObject.Name,
		prose.Line(e.Message, 512)))
	return nil
}
