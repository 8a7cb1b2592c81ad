package gclb

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// negs blocks the creation of NEGs while it is closed.
type negs struct{ closed atomic.Pointer[chan struct{}] }

// hold is a Config's Refuse: it refuses nothing.
func (n *negs) hold(r *http.Request) bool {
	if held := n.closed.Load(); held != nil && r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/networkEndpointGroups") {
		<-*held
	}
	return false
}

// close blocks them from now on, until open is called.
func (n *negs) close(t *testing.T) (open func()) {
	t.Helper()
	held := make(chan struct{})
	n.closed.Store(&held)
	open = func() {
		if n.closed.CompareAndSwap(&held, nil) {
			close(held)
		}
	}
	t.Cleanup(open)
	return open
}

// With the flag, an object of a NEG counts even before the NEG exists: users are sent to a backend
// service without one. If both colours are referenced, no NEG is created, and no request waits for
// one.
func TestMultiSubnetFlagSendsUsersAheadOfTheNEGUnlessItIsThere(t *testing.T) {
	making := &negs{}
	r := start(t, Config{Flags: []string{"--enable-multi-subnet-cluster-phase1"}, Refuse: making.hold})
	for _, color := range []string{"blue", "green"} {
		r.service(color)
		r.deploy(color, 3, "")
	}
	r.ingress(r.users("blue"))
	r.await("blue healthy", func() bool { return r.count("blue") == "3/3" })
	r.await("users on blue at every front end", func() bool { return r.everyFrontEndSendsTo("blue") })
	r.running("green", 3)

	cold, patched := r.load(false), time.Now()
	open := making.close(t)
	r.patchIngress("[" + route(0, "green") + "]")
	r.await("users sent to green", func() bool { status, _ := r.get(); return status == http.StatusServiceUnavailable })
	if r.attached("green") != -1 {
		t.Error("green has a NEG, want none")
	}
	r.inOrder(patched, []string{"backend service created", r.backend("green"), "negs=0"}, []string{"url map set", r.backend("green") + "=0/0"})
	open()
	r.await("green healthy", func() bool { return r.count("green") == "3/3" })
	r.await("users on green at every front end", func() bool { return r.everyFrontEndSendsTo("green") })
	if failed, answers := cold.end(); failed == 0 {
		t.Errorf("no request failed: %v", answers)
	}

	r.patchIngress(fmt.Sprintf(`[{"op":"add","path":"/spec/rules/1","value":{"host":%q,"http":{"paths":[{"path":"/","pathType":"Prefix",`+
		`"backend":{"service":{"name":"blue","port":{"number":80}}}}]}}}]`, r.standbyHost()))
	r.await("blue healthy again", func() bool { return r.count("blue") == "3/3" })
	users, switched := r.load(true), time.Now()
	r.patchIngress("[" + route(0, "blue") + "," + route(1, "green") + "]")
	r.await("the switch", func() bool { return r.everyFrontEndSendsTo("blue") })
	r.inOrder(switched, []string{"url map set", r.backend("blue") + "=3/3", r.backend("green") + "=3/3"})
	if failed, answers := users.end(); failed > 0 {
		t.Errorf("requests failed: %v", answers)
	}
}
