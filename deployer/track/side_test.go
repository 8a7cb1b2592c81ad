package track

import (
	"strings"
	"testing"
)

func TestPodsOfASideAreCounted(t *testing.T) {
	s := Side{Pods: []Pod{
		{Name: "a", Ready: true, Restarts: 1}, {Name: "b", Restarts: 2}, {Name: "c", Ready: true, Terminating: true, Restarts: 4},
	}}
	if ready := s.Ready(); len(ready) != 1 || ready[0].Name != "a" {
		t.Errorf("ready are %+v, want a", ready)
	}
	if n := s.Restarts(); n != 7 {
		t.Errorf("%d restarts, want 7", n)
	}
}

func TestFourOfFivePodsAreEnough(t *testing.T) {
	for _, tt := range []struct {
		ready    int
		replicas int32
		enough   bool
	}{{5, 5, true}, {4, 5, true}, {3, 5, false}, {1, 1, true}, {0, 1, false}, {0, 0, false}, {3, 4, false}} {
		s := Side{Deployment: "app-blue", Replicas: tt.replicas, Pods: make([]Pod, tt.replicas)}
		for i := range tt.ready {
			s.Pods[i].Ready = true
		}
		found := TooFewReady(s)
		if (found == nil) != tt.enough {
			t.Errorf("%d of %d ready: %+v", tt.ready, tt.replicas, found)
		}
		if found != nil && (found.Reason != "NotReady" || !strings.Contains(found.Message, "pods of app-blue are ready")) {
			t.Errorf("%d of %d ready gives %+v", tt.ready, tt.replicas, found)
		}
	}
}
