package windows

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// scene describes a shop's pods and all events of its objects, to show why a wait failed.
func (s *shop) scene(ctx context.Context) string {
	var text strings.Builder
	var pods corev1.PodList
	var events corev1.EventList
	for _, list := range []client.ObjectList{&pods, &events} {
		if err := running.kube.List(ctx, list, client.InNamespace(s.namespace)); err != nil {
			fmt.Fprintf(&text, "%v\n", err)
		}
	}
	for i := range pods.Items {
		p := &pods.Items[i]
		fmt.Fprintf(&text, "pod %s, made %s, on %s: %s %s\n", p.Name, p.CreationTimestamp.Format(time.TimeOnly), p.Spec.NodeName,
			p.Status.Phase, p.Status.PodIP)
		for _, c := range p.Status.Conditions {
			fmt.Fprintf(&text, "  %s=%s since %s %s %s\n", c.Type, c.Status, c.LastTransitionTime.Format(time.TimeOnly), c.Reason, c.Message)
		}
	}
	for i := range events.Items {
		e := &events.Items[i]
		fmt.Fprintf(&text, "%s %s/%s, by %s, %d times: %s %s\n", e.LastTimestamp.Format(time.TimeOnly), e.InvolvedObject.Kind,
			e.InvolvedObject.Name, e.Source.Component, e.Count, e.Reason, e.Message)
	}
	return text.String()
}

// A look makes many requests. Without a pause between looks, four tests side by side would overload
// the API server.
func TestAWaitLooksFiveTimesASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, looks, begin := &shop{T: t}, 0, time.Now()
		s.await("a minute to pass", func(context.Context) (bool, string) {
			looks++
			return time.Since(begin) >= time.Minute, ""
		})
		if looks < 2 || looks > 5*60+1 {
			t.Errorf("%d looks in a minute", looks)
		}
	})
}
