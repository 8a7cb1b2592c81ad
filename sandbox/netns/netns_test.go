package netns

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"
)

var inside *Namespace //nolint:gochecknoglobals // TestMain has no other way to hand it over

func TestMain(m *testing.M) {
	var err error
	inside, err = Enter(Options{Listen: map[string]string{"web": "127.0.0.1:0"}})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func TestTwoPodsListenOnTheSamePort(t *testing.T) {
	for _, body := range []string{"one", "two"} {
		pod, err := inside.Bridge.Plug()
		if err != nil {
			t.Fatal(err)
		}
		defer pod.Close()
		if got := serveAndGet(t, pod, body); got != body {
			t.Errorf("pod %s answered %q, want %q", pod.IP, got, body)
		}
	}
}

// serveAndGet runs a web server in the pod, on all addresses, and gets a file with this content
// from it.
func serveAndGet(t *testing.T, pod *Pod, body string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/f", []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("python3", "-m", "http.server", "8080", "--directory", dir)
	if err := pod.Start(cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		response, err := http.Get("http://" + net.JoinHostPort(pod.IP.String(), "8080") + "/f")
		if err != nil {
			<-tick.C
			continue
		}
		defer response.Body.Close()
		got, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(got)
	}
	t.Fatal("the web server in the pod never answered")
	return ""
}

// Tests run inside the namespace; using the sandbox from a browser proves the outside half.
func TestListenersAcceptFromInsideToo(t *testing.T) {
	listener := inside.Listeners["web"]
	if listener == nil {
		t.Fatal("no listener named web")
	}
	dialed, err := net.DialTimeout("tcp", listener.Addr().String(), 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer dialed.Close()
	accepted, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	if accepted.RemoteAddr().String() != dialed.LocalAddr().String() {
		t.Errorf("accepted %s, want %s", accepted.RemoteAddr(), dialed.LocalAddr())
	}
}

func TestAddressesAreNotReusedAtOnce(t *testing.T) {
	first, err := inside.Bridge.Plug()
	if err != nil {
		t.Fatal(err)
	}
	first.Close()
	second, err := inside.Bridge.Plug()
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if first.IP == second.IP {
		t.Errorf("address %s was handed out twice in a row", first.IP)
	}
}
