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
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/internal/controlplane"
	"github.com/turnout-dev/turnout/internal/controlplane/controlplanetest"
)

// controlPlane is shared by all tests of this package.
var controlPlane *controlplane.ControlPlane

func TestMain(m *testing.M) {
	os.Exit(controlplanetest.Run(m, controlplane.Options{}, &controlPlane))
}

// localAddress is an address of this machine that a pod may have: the API server does not proxy
// to loopback addresses. IPv4 is preferred.
func localAddress(t *testing.T) string {
	t.Helper()
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	var first net.IP
	for _, a := range addresses {
		n, ok := a.(*net.IPNet)
		if ok && n.IP.IsGlobalUnicast() && (first == nil || first.To4() == nil && n.IP.To4() != nil) {
			first = n.IP
		}
	}
	if first == nil {
		t.Fatal("this machine has only loopback addresses, and the API server reaches no pod there: give it one, such as by ip addr add " +
			"10.0.0.1/32 dev lo")
	}
	return first.String()
}

// pod is a pod object with an address, on the node if one is named.
func pod(t *testing.T, name, ip string, node ...string) track.Pod {
	t.Helper()
	pods := kubernetes.NewForConfigOrDie(controlPlane.Config).CoreV1().Pods("default")
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: name + "-"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "app"}}, NodeName: strings.Join(node, "")},
	}
	p, err := pods.Create(t.Context(), p, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p.Status.Phase, p.Status.PodIP, p.Status.PodIPs = corev1.PodRunning, ip, []corev1.PodIP{{IP: ip}}
	if _, err := pods.UpdateStatus(t.Context(), p, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	return track.Pod{Namespace: "default", Name: p.Name, IP: ip}
}

// application runs in the pods: the path selects its behaviour.
func application(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/ok":
		w.Header().Set("X-App", "shop")
		fmt.Fprintf(w, "fine, %s %s", r.URL.RawQuery, r.Header.Get("X-Ask"))
	case "/pieces":
		fmt.Fprint(w, "fi")
		_ = http.NewResponseController(w).Flush()
		fmt.Fprint(w, "ne")
	case "/edge":
		fmt.Fprint(w, strings.Repeat("x", bodyRead-len("fine")), "fine")
	case "/twice":
		w.Header().Add("Vary", "Cookie")
		w.Header().Add("Vary", "Accept")
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
	return serveHandler(t, https, application)
}

func serveHandler(t *testing.T, https bool, handler http.HandlerFunc) (ip string, port int32) {
	t.Helper()
	ip = localAddress(t)
	l, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(handler)
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
	p, err := PlanFor(v1alpha1.GateSpec{HTTP: checks}, track.Side{})
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
	for way, access := range map[string]Access{
		"straight":               straight(t, controlPlane.Config),
		"through the API server": throughAPIServer(t, controlPlane.Config),
	} {
		for _, c := range []struct {
			name    string
			check   v1alpha1.HTTPCheck
			problem string // a part of it; "": none
		}{
			{name: "good", check: v1alpha1.HTTPCheck{
				Path: "/ok?a=b", Headers: map[string]string{"X-Ask": "you"}, BodyContains: "fine, a=b you",
				Header: map[string]string{"x-app": "shop"},
			}},
			{name: "good over TLS", check: v1alpha1.HTTPCheck{Path: "/ok", Scheme: "HTTPS", Port: tlsPort}},
			{name: "status", check: v1alpha1.HTTPCheck{Path: "/error"}, problem: "answered 500, expected 200"},
			{name: "the status that is wanted", check: v1alpha1.HTTPCheck{Path: "/error", Status: 500}},
			{name: "redirect", check: v1alpha1.HTTPCheck{Path: "/moved"}, problem: "answered 302"},
			{name: "redirect that is wanted", check: v1alpha1.HTTPCheck{Path: "/moved", Status: 302}},
			{name: "the pod's own 403", check: v1alpha1.HTTPCheck{Path: "/forbidden"}, problem: "answered 403"},
			{name: "the pod's own 404", check: v1alpha1.HTTPCheck{Path: "/nowhere"}, problem: "answered 404"},
			{name: "body", check: v1alpha1.HTTPCheck{Path: "/ok", BodyContains: "great"}, problem: `the answer does not contain "great"`},
			{name: "body in pieces", check: v1alpha1.HTTPCheck{Path: "/pieces", BodyContains: "fine"}},
			{name: "body at the very end of what is read", check: v1alpha1.HTTPCheck{Path: "/edge", BodyContains: "fine"}},
			{name: "a header of several values", check: v1alpha1.HTTPCheck{Path: "/twice", Header: map[string]string{"vary": "Accept"}}},
			{
				name: "none of several values", check: v1alpha1.HTTPCheck{Path: "/twice", Header: map[string]string{"Vary": "Origin"}},
				problem: `header Vary is "Cookie, Accept", expected "Origin"`,
			},
			{
				name: "no such header", check: v1alpha1.HTTPCheck{Path: "/ok", Header: map[string]string{"X-None": "1"}},
				problem: `header X-None is "", expected "1"`,
			},
			{name: "body too far", check: v1alpha1.HTTPCheck{Path: "/far", BodyContains: "fine"}, problem: "does not contain"},
			{
				name: "header", check: v1alpha1.HTTPCheck{Path: "/ok", Header: map[string]string{"X-App": "cart"}},
				problem: `header X-App is "shop", expected "cart"`,
			},
			{name: "timeout", check: v1alpha1.HTTPCheck{Path: "/slow"}, problem: "no answer within 500ms"},
			{name: "broken off", check: v1alpha1.HTTPCheck{Path: "/breaks"}, problem: "EOF"},
			{name: "nothing listens", check: v1alpha1.HTTPCheck{Path: "/ok", Port: refused}, problem: "connection refused"},
			{
				name: "TLS to a plain port", check: v1alpha1.HTTPCheck{Path: "/ok", Scheme: "HTTPS"},
				problem: "HTTP response to HTTPS client|TLS handshake",
			},
		} {
			t.Run(way+"/"+c.name, func(t *testing.T) {
				if c.check.Port == 0 {
					c.check.Port = port
				}
				r := Round(t.Context(), access, plan(t, c.check), 500*time.Millisecond, []track.Pod{p})
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

// containsOne reports whether a text contains one of several parts, separated by |.
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

func TestTheAPIServersOwnAnswersSayNothingAboutHealth(t *testing.T) {
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
		pod    track.Pod
		check  v1alpha1.HTTPCheck
		why    string
	}{
		{name: "no right to pods/proxy", config: stranger, pod: good, why: "403 Forbidden"},
		{name: "no valid credentials", config: unknown, pod: good, why: "401 Unauthorized"},
		{name: "no such pod", config: controlPlane.Config, pod: gone, why: "404 NotFound"},
		{name: "loopback pod", config: controlPlane.Config, pod: pod(t, "loop", "127.0.0.1"), why: "the API server answered"},
		{name: "no API server", config: nobody, pod: good, why: "connection refused"},
		{
			name: "header for the API server", config: controlPlane.Config, pod: good,
			check: v1alpha1.HTTPCheck{Headers: map[string]string{"impersonate-user": "admin"}}, why: "header impersonate-user",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.check.Path, c.check.Port = "/ok", port
			r := Round(t.Context(), throughAPIServer(t, c.config), plan(t, c.check), 2*time.Second, []track.Pod{c.pod})
			if r.Passed || r.Problem != nil || r.CouldNotLook == nil || !strings.Contains(r.CouldNotLook.Error(), c.why) {
				t.Errorf("got %+v, want no verdict and %q", r, c.why)
			}
		})
	}
}

// Whoever may write a pod's status can write any address there. Straight access does not use the
// addresses of this machine and its link, just like the API server.
func TestAnAddressThatCannotBeAPodsIsNotAsked(t *testing.T) {
	dialled := 0
	config := rest.CopyConfig(controlPlane.Config)
	config.Dial = func(context.Context, string, string) (net.Conn, error) {
		dialled++
		return nil, errors.New("unreachable")
	}
	access, err := Straight(config)
	if err != nil {
		t.Fatal(err)
	}
	for _, ip := range []string{
		"169.254.169.254", "::ffff:169.254.169.254", "127.0.0.1", "::1", "fd00:ec2::254", "fe80::1%eth0",
		"metadata.google.internal",
	} {
		r := Round(t.Context(), access, plan(t, v1alpha1.HTTPCheck{Path: "/ok", Port: 80}), time.Second,
			[]track.Pod{{Namespace: "n", Name: "p", IP: ip}})
		if r.Problem != nil || r.CouldNotLook == nil || !strings.Contains(r.CouldNotLook.Error(), "which cannot be a pod's") {
			t.Errorf("%s: got %+v, want no request", ip, r)
		}
	}
	if dialled > 0 {
		t.Errorf("%d connections were made", dialled)
	}
}

// If the API server answers, a pod that accepts a connection and never answers hangs. If the API
// server hangs, the check failed.
func TestSilenceOfTheAPIServerIsNotThePods(t *testing.T) {
	hung := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer hung.Close()
	access := throughAPIServer(t, &rest.Config{Host: hung.URL, TLSClientConfig: rest.TLSClientConfig{Insecure: true}})
	r := Round(t.Context(), access, plan(t, v1alpha1.HTTPCheck{Path: "/", Port: 1}), 100*time.Millisecond,
		[]track.Pod{{Namespace: "n", Name: "p", IP: "10.0.0.1"}})
	if r.Problem != nil || r.CouldNotLook == nil {
		t.Errorf("got %+v, want no verdict", r)
	}
}

// A Ready pod whose readiness probe gets no answer from us is behind a firewall. If the probe
// gets an answer, the pod hangs on our request.
func TestSilenceBehindAFirewallIsNotThePods(t *testing.T) {
	ip, port := serve(t, false)
	p := pod(t, "app", ip)
	p.Ready = true
	for path, blocked := range map[string]bool{"/slow": true, "/ok": false} {
		state := track.Side{Probe: &track.Probe{Path: path, Port: port, Scheme: "HTTP"}}
		plan, err := PlanFor(v1alpha1.GateSpec{HTTP: []v1alpha1.HTTPCheck{{Path: "/slow", Port: port}}}, state)
		if err != nil {
			t.Fatal(err)
		}
		r := Round(t.Context(), throughAPIServer(t, controlPlane.Config), plan, 200*time.Millisecond, []track.Pod{p})
		if (r.CouldNotLook != nil) != blocked || (r.Problem != nil) == blocked || r.Passed {
			t.Errorf("probe of %s: got %+v", path, r)
		}
	}
}

func TestRoundAsksEveryPodUntilOneIsBad(t *testing.T) {
	var asked atomic.Int32
	host, port := serveHandler(t, false, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	pods := make([]track.Pod, 2*requestsInFlight)
	for i := range pods {
		pods[i] = track.Pod{Name: fmt.Sprint("p", i), IP: host}
	}
	pods[9].Terminating = true
	access, check := straight(t, controlPlane.Config), plan(t, v1alpha1.HTTPCheck{Path: "/", Port: port})
	if r := Round(t.Context(), access, check, 5*time.Second, pods); !r.Passed || int(asked.Load()) != len(pods)-1 {
		t.Errorf("got %+v after %d requests, want a pass after %d", r, asked.Load(), len(pods)-1)
	}
	asked.Store(0)
	pods[7].IP = ""
	r := Round(t.Context(), access, check, 5*time.Second, pods)
	if r.Passed || r.Problem == nil || r.Problem.Pod != "p7" {
		t.Errorf("got %+v, want a problem of p7", r)
	}
}

// A failing round takes no longer than one answer.
func TestRoundEndsEarlyWhenPodsHang(t *testing.T) {
	var asked atomic.Int32
	host, port := serveHandler(t, false, func(_ http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		<-r.Context().Done()
	})
	pods := make([]track.Pod, 20*requestsInFlight)
	for i := range pods {
		pods[i] = track.Pod{Name: fmt.Sprint("p", i), IP: host}
	}
	r := Round(t.Context(), straight(t, controlPlane.Config), plan(t, v1alpha1.HTTPCheck{Path: "/", Port: port}), 200*time.Millisecond, pods)
	if n := int(asked.Load()); r.Problem == nil || n > 2*requestsInFlight {
		t.Errorf("got %+v after %d requests", r, n)
	}
}

// The command may be expensive, and must not hide the simpler answer.
func TestCommandRunsOnlyWhenEveryRequestWasAnsweredWell(t *testing.T) {
	var ran atomic.Int32
	startKubelet(t, "both", func(context.Context, controlplanetest.Command) error {
		ran.Add(1)
		return nil
	})
	ip, port := serve(t, false)
	p := pod(t, "app", ip, "both")
	for path, want := range map[string]struct{ passed, runs bool }{"/ok": {true, true}, "/error": {false, false}} {
		ran.Store(0)
		spec := v1alpha1.GateSpec{HTTP: []v1alpha1.HTTPCheck{{Path: path, Port: port}}, Exec: &v1alpha1.ExecCheck{Command: []string{"check"}}}
		both, err := PlanFor(spec, track.Side{Container: "app"})
		if err != nil {
			t.Fatal(err)
		}
		r := Round(t.Context(), straight(t, controlPlane.Config), both, time.Second, []track.Pod{p})
		if r.CouldNotLook != nil || r.Passed != want.passed || (ran.Load() > 0) != want.runs {
			t.Errorf("%s: got %+v after %d runs", path, r, ran.Load())
		}
	}
}

func TestRoundWithoutChecksAsksForReadiness(t *testing.T) {
	p, err := PlanFor(v1alpha1.GateSpec{}, track.Side{})
	if err != nil {
		t.Fatal(err)
	}
	pods := []track.Pod{{Name: "a", Ready: true}, {Name: "b"}}
	if r := Round(t.Context(), straight(t, controlPlane.Config), p, time.Second, pods); r.Problem == nil || r.Problem.Pod != "b" {
		t.Errorf("got %+v, want a problem of b", r)
	}
	if r := Round(t.Context(), straight(t, controlPlane.Config), p, time.Second, pods[:1]); !r.Passed {
		t.Errorf("got %+v, want a pass", r)
	}
	if r := Round(t.Context(), straight(t, controlPlane.Config), p, time.Second, nil); r.Passed || r.CouldNotLook == nil {
		t.Errorf("got %+v for a target without pods, want no verdict", r)
	}
}

func TestAnInterruptedRoundIsNotABadAnswer(t *testing.T) {
	ip, port := serve(t, false)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := Round(ctx, straight(t, controlPlane.Config), plan(t, v1alpha1.HTTPCheck{Path: "/slow", Port: port}), time.Second,
		[]track.Pod{{Name: "a", IP: ip}})
	if r.Problem != nil || !errors.Is(r.CouldNotLook, context.Canceled) {
		t.Errorf("got %+v, want no verdict", r)
	}
}
