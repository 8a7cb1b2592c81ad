package deployer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/exec"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/internal/controlplane/controlplanetest"
)

// commands are the handlers for commands in a namespace's pods; see runInPod.
var commands sync.Map // namespace → controlplanetest.Exec

// runInPod runs a command on the node that all worlds share.
func runInPod(ctx context.Context, c controlplanetest.Command) error {
	do, ok := commands.Load(c.Namespace)
	if !ok {
		return fmt.Errorf("exec: %q: executable file not found in $PATH", c.Line[0])
	}
	return do.(controlplanetest.Exec)(ctx, c) //nolint:forcetypeassert // stored with this type
}

// executes sets the handler for commands in a world's pods.
func (w *world) executes(do controlplanetest.Exec) {
	commands.Store(w.namespace, do)
	w.t.Cleanup(func() { commands.Delete(w.namespace) })
}

// answers is a connection on which the world's pods answer requests; nothing listens on their
// addresses. do may return a network error instead.
func (w *world) answers(do func(pod *corev1.Pod) (status int, err error)) *rest.Config {
	ask := func(address string) (int, error) {
		host, _, err := net.SplitHostPort(address)
		check(w.t, err)
		pod := w.kubelet.at(host)
		if pod == nil {
			return 0, syscall.EHOSTUNREACH
		}
		return do(pod)
	}
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		status, err := ask(r.Host)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		rw.WriteHeader(status)
	}))
	w.t.Cleanup(s.Close)
	cfg := rest.CopyConfig(plane.Config)
	cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if strings.HasPrefix(address, "10.99.") {
			if _, err := ask(address); err != nil {
				return nil, &net.OpError{Op: "dial", Net: network, Err: os.NewSyscallError("connect", err)}
			}
			address = s.Listener.Addr().String()
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	return cfg
}

func colorOf(pod *corev1.Pod) v1alpha1.Color { return v1alpha1.Color(pod.Labels["version"]) }

// at returns the pod with an address.
func (k *kubelet) at(ip string) *corev1.Pod {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, pod := range k.pods {
		if pod.Status.PodIP == ip {
			return pod
		}
	}
	return nil
}

// restart counts restarts of the containers of a colour's pods.
func (k *kubelet) restart(t testing.TB, c v1alpha1.Color, times int32) {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, known := range k.pods {
		if colorOf(known) != c || known.DeletionTimestamp != nil {
			continue
		}
		pod := &corev1.Pod{}
		check(t, k.kube.Get(t.Context(), client.ObjectKeyFromObject(known), pod))
		pod.Status.ContainerStatuses[0].RestartCount += times
		check(t, k.kube.Status().Update(t.Context(), pod))
	}
}

// gated gives an application a fast gate.
func gated(spec v1alpha1.GateSpec) func(*v1alpha1.BlueGreen) {
	return func(bg *v1alpha1.BlueGreen) {
		spec.Interval = metav1.Duration{Duration: 20 * time.Millisecond}
		spec.TryTimeout = metav1.Duration{Duration: 500 * time.Millisecond}
		bg.Spec.Gate = spec
	}
}

// asksHealthz is a gate of one request.
func asksHealthz() func(*v1alpha1.BlueGreen) {
	return gated(v1alpha1.GateSpec{HTTP: []v1alpha1.HTTPCheck{{Path: "/healthz"}}, Timeout: metav1.Duration{Duration: 20 * time.Second}})
}

// runsSelfcheck is a gate of one command.
func runsSelfcheck(timeout time.Duration) func(*v1alpha1.BlueGreen) {
	return gated(v1alpha1.GateSpec{
		Exec:    &v1alpha1.ExecCheck{Command: []string{"selfcheck", "--all"}, Timeout: metav1.Duration{Duration: timeout}},
		Timeout: metav1.Duration{Duration: timeout},
	})
}

func TestCommandOfTheGateRunsInTheTargetOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, runsSelfcheck(20*time.Second))
	var mu sync.Mutex
	var ran []string
	w.executes(func(_ context.Context, c controlplanetest.Command) error {
		mu.Lock()
		defer mu.Unlock()
		ran = append(ran, strings.Join(append([]string{c.Pod[:len("my-python-app-green")], c.Container}, c.Line...), " "))
		return nil
	})
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	mu.Lock()
	defer mu.Unlock()
	if want := slices.Repeat([]string{"my-python-app-green app selfcheck --all"}, 3); !slices.Equal(ran, want) {
		t.Errorf("these ran: %q, want %q", ran, want)
	}
	if got, want := rel.Status.Milestones.Verified.Check, "command selfcheck --all in container app"; got != want {
		t.Errorf("verified by %q, want %q", got, want)
	}
}

func TestFailingCommandFailsTheReleaseWithItsLastLines(t *testing.T) {
	t.Parallel()
	w := newWorld(t, runsSelfcheck(time.Second))
	w.executes(func(_ context.Context, c controlplanetest.Command) error {
		fmt.Fprintln(c.Stderr, "the orders table is missing")
		return exec.CodeExitError{Err: errors.New("exit status 3"), Code: 3}
	})
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseFailed)
	w.expectMessage(rel, "the health gate did not pass within 1s", "command selfcheck --all: exited with 3")
	e := rel.Status.Failure.Evidence
	if len(e) != 1 || e[0].Container != "app" || e[0].ExitCode == nil || *e[0].ExitCode != 3 || e[0].Log != "the orders table is missing" ||
		!strings.HasPrefix(e[0].Pod, "my-python-app-green-") {
		t.Errorf("the evidence is %+v", e)
	}
	w.expectRoutes("blue", 2) // attached
	w.awaitShrunk(v1alpha1.Green)
}

// leaky is command output that nobody should read on GitHub.
const leaky = "using ghp_0123456789abcdefghij0123456789abcdef\n\x1b[31mDB_PASSWORD=hunter2hunter2\x1b[0m\n" +
	"postgres://shop:hunter2hunter2@db/shop refused\n-----BEGIN PRIVATE KEY-----\nhunter2hunter2\n"

func TestWhatACommandWritesIsMaskedInTheRecord(t *testing.T) {
	t.Parallel()
	w := newWorld(t, runsSelfcheck(time.Second))
	w.executes(func(_ context.Context, c controlplanetest.Command) error {
		fmt.Fprint(c.Stderr, leaky)
		return exec.CodeExitError{Err: errors.New("exit status 3"), Code: 3}
	})
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseFailed)
	text, err := json.Marshal(rel)
	check(t, err)
	for _, secret := range []string{"hunter2", "ghp_", "\\u001b"} {
		if strings.Contains(string(text), secret) {
			t.Errorf("the record has %q: %s", secret, text)
		}
	}
	const want = "using ***\nDB_PASSWORD=***\npostgres://shop:***@db/shop refused\n***"
	if e := rel.Status.Failure.Evidence; len(e) != 1 || e[0].Log != want {
		t.Errorf("the evidence is %+v, want the log %q", e, want)
	}
}

func TestNoLogIsRecordedWhereNoneIsWanted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, runsSelfcheck(time.Second), func(bg *v1alpha1.BlueGreen) { bg.Spec.Evidence.Logs = v1alpha1.LogsNone })
	w.executes(func(_ context.Context, c controlplanetest.Command) error {
		fmt.Fprintln(c.Stderr, "the orders table is missing")
		return exec.CodeExitError{Err: errors.New("exit status 3"), Code: 3}
	})
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseFailed)
	text, err := json.Marshal(rel)
	check(t, err)
	if e := rel.Status.Failure.Evidence; len(e) != 1 || e[0].ExitCode == nil || strings.Contains(string(text), "orders table") {
		t.Errorf("the record is %s", text)
	}
}

func TestCommandThatCannotBeRunIsTheWorldsFault(t *testing.T) {
	t.Parallel()
	w := newWorld(t, runsSelfcheck(time.Second))
	w.executes(func(context.Context, controlplanetest.Command) error { return errors.New("containerd is restarting") })
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseError)
	w.expectMessage(rel, "could not check the pods", "containerd is restarting")
	w.expectLive(v1alpha1.Blue)
}

// Pods may be ready before they listen, or listen before they are healthy: only the gate's
// timeout ends the wait.
func TestGateWaitsForPodsThatAreSlowToListen(t *testing.T) {
	t.Parallel()
	w := newWorld(t, asksHealthz())
	var asked atomic.Int32
	w.runWith(w.answers(func(*corev1.Pod) (int, error) {
		switch n := asked.Add(1); {
		case n <= 5:
			return 0, syscall.ECONNREFUSED
		case n <= 15:
			return http.StatusServiceUnavailable, nil
		}
		return http.StatusOK, nil
	}))
	w.expectDeployed(w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded))
}

// The gate's result for a pod does not count for its replacement.
func TestPodThatIsReplacedAfterTheGateMakesItStartOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t, manual, asksHealthz())
	var mu sync.Mutex
	asked := map[string]int{}
	w.runWith(w.answers(func(pod *corev1.Pod) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		asked[pod.Name]++
		return http.StatusOK, nil
	}))
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseWaiting)
	first := rel.Status.Milestones.Verified.Pods
	old := &corev1.Pod{ObjectMeta: w.meta(first[0])}
	check(t, w.kube.Delete(t.Context(), old))
	w.approve(rel)
	rel = w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
	second := rel.Status.Milestones.Verified.Pods
	mu.Lock()
	defer mu.Unlock()
	// Each check takes a connection and a request on it.
	if len(second) != 1 || second[0] == first[0] || asked[second[0]] < 3*2 {
		t.Errorf("the gate passed on %v, then on %v, which was asked %d times", first, second, asked[second[0]]/2)
	}
}

// If a version goes bad while it waits for a person, one round finds that before anybody moves. A
// healthy version gets just that round.
func TestVersionThatWentBadWhileItWaitedIsNotSwitchedTo(t *testing.T) {
	t.Parallel()
	for _, bad := range []bool{true, false} {
		t.Run(fmt.Sprintf("bad %t", bad), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, manual, gated(v1alpha1.GateSpec{
				HTTP:    []v1alpha1.HTTPCheck{{Path: "/livez"}},
				Timeout: metav1.Duration{Duration: time.Second},
			}))
			var broken atomic.Bool
			w.runWith(w.answers(func(*corev1.Pod) (int, error) {
				if broken.Load() {
					return http.StatusInternalServerError, nil
				}
				return http.StatusOK, nil
			}))
			rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseWaiting)
			broken.Store(bad)
			w.approve(rel)
			if bad {
				rel = w.awaitPhase(rel, v1alpha1.ReleaseFailed)
				w.expectMessage(rel, "the health gate did not pass", "answered 500")
				w.expectRoutes("blue", 2) // attached, never switched
				return
			}
			rel = w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
			w.expectDeployed(rel)
			var passes []string
			for _, e := range rel.Status.Timeline {
				if e.Step == v1alpha1.StepVerify {
					passes = append(passes, e.Message)
				}
			}
			want := []string{"GET /livez on port 8080: 3 rounds in a row passed on 1 pod", "GET /livez on port 8080: 1 round passed on 1 pod"}
			if !slices.Equal(passes, want) {
				t.Errorf("the gate's passes are %q, want %q", passes, want)
			}
		})
	}
}

// brokenUnderTraffic is a world with a soaking release whose new version then begins to crash.
func brokenUnderTraffic(t *testing.T, previous func() (int, error)) (*world, *v1alpha1.Release) {
	t.Helper()
	w := newWorld(t, asksHealthz(), soaks(time.Minute))
	w.runWith(w.answers(func(pod *corev1.Pod) (int, error) {
		if colorOf(pod) == v1alpha1.Blue {
			return previous()
		}
		return http.StatusOK, nil
	}))
	rel := w.await(w.submit("a"), "the soak", func(r *v1alpha1.Release) bool { return r.Status.Milestones.SoakStartedAt != nil })
	w.kubelet.restart(t, v1alpha1.Green, track.SoakRestarts)
	return w, w.awaitPhase(rel, v1alpha1.ReleaseFailed)
}

func TestPreviousColourIsAskedBeforeItGetsTrafficBack(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		previous func() (int, error)
		live     v1alpha1.Color
		finding  string
	}{
		{name: "well", previous: func() (int, error) { return http.StatusOK, nil }, live: v1alpha1.Blue},
		{
			name: "as bad", previous: func() (int, error) { return http.StatusInternalServerError, nil }, live: v1alpha1.Green,
			finding: "traffic was not moved back: the previous colour fails the same gate now: answered 500, expected 200",
		},
		{
			name: "out of reach", previous: func() (int, error) { return 0, syscall.EHOSTUNREACH }, live: v1alpha1.Blue,
			finding: "the previous colour could not be checked before traffic went back to it",
		},
		{name: "bad once", previous: onceBad(), live: v1alpha1.Blue},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w, rel := brokenUnderTraffic(t, c.previous)
			w.expectLive(c.live)
			w.expectMessage(rel, "containers of my-python-app-green were restarted 2 times under live traffic")
			if c.finding == "" {
				w.expectNoFinding(rel, "previous colour")
			} else {
				w.expectFinding(rel, c.finding)
			}
			if w.size(c.live) == 0 {
				t.Error("the users' colour was shrunk")
			}
		})
	}
}

// onceBad fails one request, but not its connection.
func onceBad() func() (int, error) {
	var asked atomic.Int32
	return func() (int, error) {
		if asked.Add(1) == 2 {
			return http.StatusInternalServerError, nil
		}
		return http.StatusOK, nil
	}
}

// unseenSoak is a world whose pods become unreachable after the gate, until the returned function
// is called.
func unseenSoak(t *testing.T) (w *world, rel *v1alpha1.Release, seen func()) {
	t.Helper()
	w = newWorld(t, asksHealthz(), soaks(2*time.Second))
	var asked atomic.Int32
	var again atomic.Bool
	w.runWith(w.answers(func(*corev1.Pod) (int, error) {
		// Each check takes a connection and a request on it.
		if asked.Add(1) > 3*2 && !again.Load() {
			return 0, syscall.EHOSTUNREACH
		}
		return http.StatusOK, nil
	}))
	return w, w.submit("a"), func() { again.Store(true) }
}

func TestSoakThatNobodyCanSeeTheEndOfMovesNoTraffic(t *testing.T) {
	t.Parallel()
	w, rel, _ := unseenSoak(t)
	rel = w.awaitPhase(rel, v1alpha1.ReleaseError)
	w.expectMessage(rel, "could not check the live pods since", "no route to host", "users stay on green", "/rollback")
	if s, f := rel.Status.Soak, rel.Status.Failure; s.Extended != track.SoakExtensions || f.Class != v1alpha1.FaultWorld ||
		f.Step != v1alpha1.StepSoak {
		t.Errorf("the soak is %+v, the failure %+v", s, f)
	}
	w.expectRoutes("green", 3) // attached, switched
	if w.size(v1alpha1.Green) == 0 {
		t.Error("the users' colour was shrunk")
	}
}

// One successful look during the extension is enough.
func TestSoakThatIsSeenAgainSucceeds(t *testing.T) {
	t.Parallel()
	w, rel, seen := unseenSoak(t)
	rel = w.await(rel, "an extension", func(r *v1alpha1.Release) bool { return r.Status.Soak != nil && r.Status.Soak.Extended == 1 })
	seen()
	w.expectDeployed(w.awaitPhase(rel, v1alpha1.ReleaseSucceeded))
}
