package gate

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/workload"
	"github.com/turnout-dev/turnout/internal/controlplane"
)

// controlPlane is shared by all tests of this package.
var controlPlane *controlplane.ControlPlane

func TestMain(m *testing.M) {
	cp, err := controlplane.Start(context.Background(), controlplane.Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	controlPlane = cp
	code := m.Run()
	cp.Stop()
	os.Exit(code)
}

// localAddress is an address of this machine that a pod may have: the API
// refuses loopback ones.
func localAddress(t *testing.T) string {
	t.Helper()
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.To4() != nil && ip.IP.IsGlobalUnicast() {
			return ip.IP.String()
		}
	}
	t.Skip("this machine has no address but loopback; run in a network namespace with one")
	return ""
}

// pod is a pod object whose address is this machine's.
func pod(t *testing.T, name, ip string) workload.Pod {
	t.Helper()
	pods := kubernetes.NewForConfigOrDie(controlPlane.Config).CoreV1().Pods("default")
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{GenerateName: name + "-"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "app"}}}}
	p, err := pods.Create(t.Context(), p, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p.Status.Phase, p.Status.PodIP, p.Status.PodIPs = corev1.PodRunning, ip, []corev1.PodIP{{IP: ip}}
	if _, err := pods.UpdateStatus(t.Context(), p, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	return workload.Pod{Namespace: "default", Name: p.Name, IP: ip}
}

// application is what runs in the pods: it does as the path says.
func application(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/ok":
		w.Header().Set("X-App", "shop")
		fmt.Fprintf(w, "fine, %s %s", r.URL.RawQuery, r.Header.Get("X-Ask"))
	case "/far":
		fmt.Fprint(w, strings.Repeat("x", bodyRead), "fine")
	case "/error":
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprint(w, strings.Repeat("no database ", 100))
	case "/moved":
		http.Redirect(w, r, "/ok", http.StatusFound)
	case "/forbidden":
		http.Error(w, `{"error": "token missing"}`, http.StatusForbidden)
	case "/slow":
		<-r.Context().Done()
	case "/breaks":
		panic(http.ErrAbortHandler)
	default:
		http.NotFound(w, r)
	}
}

// serve runs the application at this machine's address.
func serve(t *testing.T, https bool) (ip string, port int32) {
	t.Helper()
	ip = localAddress(t)
	l, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(application))
	s.Listener = l
	if https {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return ip, int32(l.Addr().(*net.TCPAddr).Port) //nolint:forcetypeassert // it is a TCP listener
}

func throughAPIServer(t *testing.T, config *rest.Config) Access {
	t.Helper()
	a, err := ThroughAPIServer(config)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func plan(t *testing.T, checks ...v1alpha1.HTTPCheck) Plan {
	t.Helper()
	p, err := PlanFor(v1alpha1.GateSpec{HTTP: checks}, workload.State{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestRoundJudgesTheAnswersOfAPodBothWays(t *testing.T) {
	ip, port := serve(t, false)
	_, tlsPort := serve(t, true)
	p := pod(t, "app", ip)
	refused := closedPort(t, ip)
	for way, access := range map[string]Access{"straight": Straight(), "through the API server": throughAPIServer(t, controlPlane.Config)} {
		for _, c := range []struct {
			name    string
			check   v1alpha1.HTTPCheck
			problem string // a part of it; "": none
		}{
			{name: "good", check: v1alpha1.HTTPCheck{Path: "/ok?a=b", Headers: map[string]string{"X-Ask": "you"}, BodyContains: "fine, a=b you", Header: map[string]string{"x-app": "shop"}}},
			{name: "good over TLS", check: v1alpha1.HTTPCheck{Path: "/ok", Scheme: "HTTPS", Port: tlsPort}},
			{name: "status", check: v1alpha1.HTTPCheck{Path: "/error"}, problem: "answered 500, expected 200"},
			{name: "the status that is wanted", check: v1alpha1.HTTPCheck{Path: "/error", Status: 500}},
			{name: "redirect", check: v1alpha1.HTTPCheck{Path: "/moved"}, problem: "answered 302"},
			{name: "redirect that is wanted", check: v1alpha1.HTTPCheck{Path: "/moved", Status: 302}},
			{name: "the pod's own 403", check: v1alpha1.HTTPCheck{Path: "/forbidden"}, problem: "answered 403"},
			{name: "the pod's own 404", check: v1alpha1.HTTPCheck{Path: "/nowhere"}, problem: "answered 404"},
			{name: "body", check: v1alpha1.HTTPCheck{Path: "/ok", BodyContains: "great"}, problem: `the answer does not contain "great"`},
			{name: "body too far", check: v1alpha1.HTTPCheck{Path: "/far", BodyContains: "fine"}, problem: "does not contain"},
			{name: "header", check: v1alpha1.HTTPCheck{Path: "/ok", Header: map[string]string{"X-App": "cart"}}, problem: `header X-App is "shop", expected "cart"`},
			{name: "timeout", check: v1alpha1.HTTPCheck{Path: "/slow"}, problem: "no answer within 500ms"},
			{name: "broken off", check: v1alpha1.HTTPCheck{Path: "/breaks"}, problem: "EOF"},
			{name: "nothing listens", check: v1alpha1.HTTPCheck{Path: "/ok", Port: refused}, problem: "connection refused"},
			{name: "TLS to a plain port", check: v1alpha1.HTTPCheck{Path: "/ok", Scheme: "HTTPS"}, problem: "HTTP response to HTTPS client|TLS handshake"},
		} {
			t.Run(way+"/"+c.name, func(t *testing.T) {
				if c.check.Port == 0 {
					c.check.Port = port
				}
				r := Round(t.Context(), access, plan(t, c.check), 500*time.Millisecond, []workload.Pod{p})
				if r.CouldNotLook != nil {
					t.Fatalf("could not look: %v", r.CouldNotLook)
				}
				if r.Passed != (c.problem == "") {
					t.Fatalf("passed %t with problem %+v, want %q", r.Passed, r.Problem, c.problem)
				}
				if c.problem != "" && (r.Problem.Pod != p.Name || !containsOne(r.Problem.Message, c.problem) || len(r.Problem.Body) > kept) {
					t.Errorf("problem %+v, want %q of pod %s", r.Problem, c.problem, p.Name)
				}
			})
		}
	}
}

// containsOne reports whether a text contains one of several, separated by |.
func containsOne(text, words string) bool {
	return slices.ContainsFunc(strings.Split(words, "|"), func(w string) bool { return strings.Contains(text, w) })
}

func closedPort(t *testing.T, ip string) int32 {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return int32(l.Addr().(*net.TCPAddr).Port) //nolint:forcetypeassert // it is a TCP listener
}

func TestWhatTheAPIServerSaysIsNoWordOnHealth(t *testing.T) {
	ip, port := serve(t, false)
	good := pod(t, "app", ip)
	gone := good
	gone.Name = "gone"
	stranger, _, err := controlPlane.User("stranger", nil)
	if err != nil {
		t.Fatal(err)
	}
	unknown := rest.AnonymousClientConfig(controlPlane.Config)
	unknown.BearerToken = "wrong"
	nobody := rest.CopyConfig(controlPlane.Config)
	nobody.Host = fmt.Sprintf("https://127.0.0.1:%d", closedPort(t, "127.0.0.1"))
	for _, c := range []struct {
		name   string
		config *rest.Config
		pod    workload.Pod
		check  v1alpha1.HTTPCheck
		why    string
	}{
		{name: "no right to pods/proxy", config: stranger, pod: good, why: "403 Forbidden"},
		{name: "no valid credentials", config: unknown, pod: good, why: "401 Unauthorized"},
		{name: "no such pod", config: controlPlane.Config, pod: gone, why: "404 NotFound"},
		{name: "loopback pod", config: controlPlane.Config, pod: pod(t, "loop", "127.0.0.1"), why: "the API server answered"},
		{name: "no API server", config: nobody, pod: good, why: "connection refused"},
		{name: "header for the API server", config: controlPlane.Config, pod: good, check: v1alpha1.HTTPCheck{Headers: map[string]string{"impersonate-user": "admin"}}, why: "header impersonate-user"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.check.Path, c.check.Port = "/ok", port
			r := Round(t.Context(), throughAPIServer(t, c.config), plan(t, c.check), 2*time.Second, []workload.Pod{c.pod})
			if r.Passed || r.Problem != nil || r.CouldNotLook == nil || !strings.Contains(r.CouldNotLook.Error(), c.why) {
				t.Errorf("got %+v, want no look for %q", r, c.why)
			}
		})
	}
}

// A connection that accepts and never answers is a hung pod if the API server is
// there, and no look if it is the API server that hangs.
func TestSilenceOfTheAPIServerIsNotThePods(t *testing.T) {
	hung := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer hung.Close()
	access := throughAPIServer(t, &rest.Config{Host: hung.URL, TLSClientConfig: rest.TLSClientConfig{Insecure: true}})
	r := Round(t.Context(), access, plan(t, v1alpha1.HTTPCheck{Path: "/", Port: 1}), 100*time.Millisecond, []workload.Pod{{Namespace: "n", Name: "p", IP: "10.0.0.1"}})
	if r.Problem != nil || r.CouldNotLook == nil {
		t.Errorf("got %+v, want no look", r)
	}
}

// A pod that is Ready, and whose readiness probe gets no answer on our way to it,
// is behind a firewall; one whose probe answers hangs where we asked.
func TestSilenceBehindAFirewallIsNotThePods(t *testing.T) {
	ip, port := serve(t, false)
	p := pod(t, "app", ip)
	p.Ready = true
	for path, blocked := range map[string]bool{"/slow": true, "/ok": false} {
		state := workload.State{Probe: &workload.Probe{Path: path, Port: port, Scheme: "HTTP"}}
		plan, err := PlanFor(v1alpha1.GateSpec{HTTP: []v1alpha1.HTTPCheck{{Path: "/slow", Port: port}}}, state)
		if err != nil {
			t.Fatal(err)
		}
		r := Round(t.Context(), throughAPIServer(t, controlPlane.Config), plan, 200*time.Millisecond, []workload.Pod{p})
		if (r.CouldNotLook != nil) != blocked || (r.Problem != nil) == blocked || r.Passed {
			t.Errorf("probe of %s: got %+v", path, r)
		}
	}
}

func TestRoundAsksEveryPodAndNamesTheBadOne(t *testing.T) {
	var asked atomic.Int32
	host := localAddress(t)
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	s.Listener = l
	s.Start()
	defer s.Close()
	port := int32(l.Addr().(*net.TCPAddr).Port) //nolint:forcetypeassert // it is a TCP listener
	pods := make([]workload.Pod, 40)
	for i := range pods {
		pods[i] = workload.Pod{Name: fmt.Sprint("p", i), IP: host}
	}
	pods[7].IP, pods[9].Terminating = "", true
	r := Round(t.Context(), Straight(), plan(t, v1alpha1.HTTPCheck{Path: "/", Port: port}), 5*time.Second, pods)
	if r.Passed || r.Problem == nil || r.Problem.Pod != "p7" || asked.Load() != 38 {
		t.Errorf("got %+v after %d requests, want a problem of p7 after 38", r, asked.Load())
	}
}

func TestRoundWithoutChecksAsksForReadiness(t *testing.T) {
	p, err := PlanFor(v1alpha1.GateSpec{}, workload.State{})
	if err != nil {
		t.Fatal(err)
	}
	pods := []workload.Pod{{Name: "a", Ready: true}, {Name: "b"}}
	if r := Round(t.Context(), Straight(), p, time.Second, pods); r.Problem == nil || r.Problem.Pod != "b" {
		t.Errorf("got %+v, want a problem of b", r)
	}
	if r := Round(t.Context(), Straight(), p, time.Second, pods[:1]); !r.Passed {
		t.Errorf("got %+v, want a pass", r)
	}
	if r := Round(t.Context(), Straight(), p, time.Second, nil); r.Passed || r.CouldNotLook == nil {
		t.Errorf("got %+v for no pods at all, want no look", r)
	}
}

func TestRoundBrokenOffIsNoBadAnswer(t *testing.T) {
	ip, port := serve(t, false)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := Round(ctx, Straight(), plan(t, v1alpha1.HTTPCheck{Path: "/slow", Port: port}), time.Second, []workload.Pod{{Name: "a", IP: ip}})
	if r.Problem != nil || !errors.Is(r.CouldNotLook, context.Canceled) {
		t.Errorf("got %+v, want no look", r)
	}
}
