package workload

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// serveLogs is a node's kubelet that serves only logs; it answers with the request.
func (w world) serveLogs(node string) {
	w.t.Helper()
	kubelet := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		for i := range 30 {
			fmt.Fprintf(rw, "%02d %s %s\n", i, r.URL.Path[strings.LastIndex(r.URL.Path, "/"):], r.URL.RawQuery)
		}
	}))
	tls, err := controlPlane.KubeletTLS("127.0.0.1")
	if err != nil {
		w.t.Fatal(err)
	}
	kubelet.TLS = tls
	kubelet.StartTLS()
	w.t.Cleanup(kubelet.Close)
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: node}}
	if err := w.Client.Create(w.t.Context(), n); err != nil {
		w.t.Fatal(err)
	}
	port := int32(kubelet.Listener.Addr().(*net.TCPAddr).Port) //nolint:forcetypeassert // httptest listens on TCP
	w.await("the node's address", func() bool {
		if err := w.Client.Get(w.t.Context(), client.ObjectKey{Name: node}, n); err != nil {
			w.t.Fatal(err)
		}
		n.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "127.0.0.1"}}
		n.Status.DaemonEndpoints.KubeletEndpoint.Port = port
		return w.Client.Status().Update(w.t.Context(), n) == nil // controllers write nodes too
	})
}

func (w world) bind(pod, node string) {
	w.t.Helper()
	b := &corev1.Binding{ObjectMeta: metav1.ObjectMeta{Name: pod}, Target: corev1.ObjectReference{Kind: "Node", Name: node}}
	if err := w.Clientset.CoreV1().Pods(w.namespace).Bind(w.t.Context(), b, metav1.CreateOptions{}); err != nil {
		w.t.Fatal(err)
	}
}

func TestEvidenceHasTheLastLinesOfTheContainerThatCrashed(t *testing.T) {
	w := newWorld(t)
	node := w.namespace
	w.serveLogs(node)
	// At least: its autoscaler, with a larger minimum, may have scaled it already.
	s := w.awaitState(v1alpha1.Blue, "the live pods", func(s track.Side) bool { return len(s.Pods) >= 2 })
	w.bind(s.Pods[0].Name, node)
	code := int32(1)
	s.Failure = &track.Failure{Reason: "CrashLoopBackOff", Pod: s.Pods[0].Name, Container: "app", ExitCode: &code, Previous: true}
	log := w.Evidence(t.Context(), w.bg, s)[0].Log
	lines := strings.Split(log, "\n")
	if len(lines) != 20 || !strings.HasPrefix(lines[19], "29 /app ") || !strings.Contains(log, "previous=true") ||
		!strings.Contains(log, "tailLines=20") {
		t.Errorf("log:\n%s\nwant the last 20 lines of the previous container", log)
	}
}

func TestNoLogIsReadIfNoneIsWanted(t *testing.T) {
	w := newWorld(t)
	node := w.namespace
	w.serveLogs(node)
	s := w.awaitState(v1alpha1.Blue, "the live pods", func(s track.Side) bool { return len(s.Pods) >= 2 })
	w.bind(s.Pods[0].Name, node)
	code := int32(1)
	s.Failure = &track.Failure{Reason: "CrashLoopBackOff", Pod: s.Pods[0].Name, Container: "app", ExitCode: &code}
	bg := w.bg.DeepCopy()
	bg.Spec.Evidence.Logs = v1alpha1.LogsNone
	if e := w.Evidence(t.Context(), bg, s); len(e) != 1 || e[0].Log != "" || e[0].ExitCode == nil {
		t.Errorf("the evidence is %+v", e)
	}
}

func TestAPodWithoutRoomOnAnyNodeIsEvidence(t *testing.T) {
	pod := func(name string, conditions ...corev1.PodCondition) track.Pod {
		p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}}
		p.Status.Conditions = conditions
		return podState(p)
	}
	s := track.Side{Pods: []track.Pod{
		pod("a", corev1.PodCondition{Type: corev1.PodScheduled, Status: corev1.ConditionTrue}),
		pod("b", corev1.PodCondition{
			Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable",
			Message: "0/3 nodes are available: 3 Insufficient cpu.",
		}),
	}}
	got := new(Workloads).Evidence(t.Context(), &v1alpha1.BlueGreen{}, s)
	if len(got) != 1 || got[0].Pod != "b" || got[0].Reason != "Unschedulable" || !strings.Contains(got[0].Message, "Insufficient cpu") {
		t.Errorf("the evidence is %+v", got)
	}
	if got := new(Workloads).Evidence(t.Context(), &v1alpha1.BlueGreen{}, track.Side{Pods: s.Pods[:1]}); got != nil {
		t.Errorf("the evidence of a pod that has its node is %+v", got)
	}
}
