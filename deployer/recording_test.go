package deployer

import (
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// recordAs records the milestones again, as this version leaves them.
var recordAs = flag.String("record", "", "record every milestone into this directory of testdata/recorded, such as 1-2026-11-26: the "+
	"format of the record, and the day")

// recordings contains the recorded worlds, one directory per version.
const recordings = "testdata/recorded"

// This version must finish releases that an earlier version began: [TestRecordedReleasesFinish]
// continues what this test has recorded. To record the input of the next version, before its
// record or its acts change:
//
//	go test ./deployer -run TestEveryMilestoneIsRecorded -record 1-2026-11-26
//
// Then commit the directory. The newest one has every milestone; those of older versions may lack
// later milestones. Delete a directory once nobody upgrades from its version any more.
func TestEveryMilestoneIsRecorded(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, s := range stories {
		for _, m := range s.milestones {
			known[s.name+"/"+m.name+".yaml"] = true
		}
	}
	if *recordAs != "" {
		t.Run("recording", func(t *testing.T) {
			for _, s := range stories {
				for _, m := range s.milestones {
					t.Run(s.name+"/"+m.name, func(t *testing.T) {
						t.Parallel()
						s.record(t, m).write(t, filepath.Join(recordings, *recordAs, s.name, m.name+".yaml"))
					})
				}
			}
		})
	}
	versions := recordedVersions(t)
	for i, version := range versions {
		recorded := recordedIn(t, version)
		for _, file := range recorded {
			if !known[file] {
				t.Errorf("%s/%s/%s has a milestone that stories lack, so no test finishes it", recordings, version, file)
			}
		}
		for file := range known {
			if i == len(versions)-1 && !slices.Contains(recorded, file) {
				t.Errorf("%s/%s lacks %s", recordings, version, file)
			}
		}
		if len(recorded) == 0 {
			t.Errorf("%s/%s is empty", recordings, version)
		}
	}
}

// recordedVersions are the directories of recordings, oldest first.
func recordedVersions(t testing.TB) []string {
	t.Helper()
	entries, err := os.ReadDir(recordings)
	check(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if len(names) == 0 {
		t.Fatalf("%s has no recordings", recordings)
	}
	return names
}

// recordedIn are the files of a version's recordings, such as deploy/05-staging.yaml.
func recordedIn(t testing.TB, version string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(recordings, version, "*", "*"))
	check(t, err)
	for i, file := range files {
		files[i], err = filepath.Rel(filepath.Join(recordings, version), file)
		check(t, err)
	}
	return files
}

// record plays a story until its process ends at a milestone.
func (s story) record(t *testing.T, m milestone) *recording {
	t.Helper()
	w, rel := s.start(t)
	p := &process{refuse: m.refuse, last: m.last, ended: make(chan struct{}), made: map[string]int{}}
	stop := w.runWith(p.config(w.cfg), quick("recorded"))
	if m.during != nil {
		m.during(w, rel)
	}
	w.until("the process to end at "+m.name, p.hasEnded, func() string { return strings.Join(p.all(), "\n") })
	stop()
	if m.mend != nil {
		m.mend(w)
	}
	return w.snapshot(s.name + ": " + m.name)
}

// write is one write of a deployer.
type write struct {
	what string // such as PUT releases/x/status
	nth  int    // of these, from 1
	// rel is what is written, if it is a release's status.
	rel *v1alpha1.Release
	bg  *v1alpha1.BlueGreen
}

// process is the connection of a deployer that ends right after one of its writes.
type process struct {
	// refuse selects the writes that fail; nil: none.
	refuse func(write) bool
	// last is the write after which it ends.
	last  func(write) bool
	ended chan struct{}

	mu   sync.Mutex
	dead bool
	made map[string]int
	seen []string
}

func (p *process) config(cfg *rest.Config) *rest.Config {
	cfg = rest.CopyConfig(cfg)
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(req *http.Request) (*http.Response, error) { return p.roundTrip(next, req) })
	})
	return cfg
}

func (p *process) roundTrip(next http.RoundTripper, req *http.Request) (*http.Response, error) {
	p.mu.Lock()
	if p.dead {
		p.mu.Unlock()
		return nil, errSpoiled
	}
	if req.Method == http.MethodGet {
		p.mu.Unlock()
		return next.RoundTrip(req)
	}
	defer p.mu.Unlock()
	w := p.read(req)
	if p.refuse != nil && p.refuse(w) {
		return nil, errSpoiled
	}
	resp, err := next.RoundTrip(req)
	if err != nil || resp.StatusCode >= http.StatusMultipleChoices {
		return resp, err
	}
	if p.last(w) {
		p.dead = true
		close(p.ended)
		_ = resp.Body.Close()
		return nil, errSpoiled
	}
	return resp, nil
}

func (p *process) read(req *http.Request) write {
	w := write{what: describe(req)}
	p.made[w.what]++
	w.nth = p.made[w.what]
	p.seen = append(p.seen, w.what)
	switch body := []byte(bodyOf(req)); {
	case strings.HasPrefix(w.what, "PUT releases/"):
		w.rel = &v1alpha1.Release{}
		_ = json.Unmarshal(body, w.rel)
	case strings.HasPrefix(w.what, "PUT bluegreens/"):
		w.bg = &v1alpha1.BlueGreen{}
		_ = json.Unmarshal(body, w.bg)
	}
	return w
}

func (p *process) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// all are the writes seen so far.
func (p *process) all() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.seen)
}
