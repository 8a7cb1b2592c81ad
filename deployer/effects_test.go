package deployer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"k8s.io/client-go/rest"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// spoiling is how an effect goes wrong.
type spoiling string

const (
	before spoiling = "not performed"
	after  spoiling = "performed, reply lost"
)

// effects counts the writes of deployers and spoils one of them.
type effects struct {
	// at names the effect to spoil, see [effectsOf]; "" for none.
	at   string
	when spoiling
	// match, if set, chooses the write instead of at: the first that it accepts, by target and
	// body.
	match func(what, body string) bool
	// crash makes everything fail from then on, as if the process had ended.
	crash bool
	// only writes of this kind count, such as PATCH or httproutes; "" means every write.
	only string
	// spoiled is closed once the effect was spoiled.
	spoiled chan struct{}

	mu   sync.Mutex
	dead bool
	done bool     // it was spoiled
	seen []string // writes
	made []string // effects, each once, in their order
}

func newEffects(when spoiling, crash bool) *effects {
	return &effects{when: when, crash: crash, spoiled: make(chan struct{})}
}

// config is a connection whose writes are counted.
func (e *effects) config(cfg *rest.Config) *rest.Config {
	cfg = rest.CopyConfig(cfg)
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(req *http.Request) (*http.Response, error) { return e.roundTrip(next, req) })
	})
	return cfg
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

var errSpoiled = errors.New("connection reset by the test")

func (e *effects) roundTrip(next http.RoundTripper, req *http.Request) (*http.Response, error) {
	w, err := e.begin(req.Method, describe(req), bodyOf(req))
	if err != nil {
		return nil, err
	}
	if w.spoil && e.when == before {
		e.spoil()
		return nil, errSpoiled
	}
	resp, err := next.RoundTrip(req)
	switch {
	case err != nil || resp.StatusCode >= http.StatusMultipleChoices:
		e.forget(w)
	case w.spoil:
		_ = resp.Body.Close()
		e.spoil()
		return nil, errSpoiled
	}
	return resp, err
}

// intercept counts calls to Cloud Build.
func (e *effects) intercept(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker,
	opts ...grpc.CallOption,
) error {
	lost := status.Error(codes.Unavailable, errSpoiled.Error())
	what, verb := path.Base(method), http.MethodGet
	if what == "CreateBuild" {
		verb = http.MethodPost
	}
	w, err := e.begin(verb, what, "")
	if err != nil {
		return lost
	}
	if w.spoil && e.when == before {
		e.spoil()
		return lost
	}
	err = invoke(ctx, method, req, reply, cc, opts...)
	switch {
	case err != nil:
		e.forget(w)
	case w.spoil:
		e.spoil()
		return lost
	}
	return err
}

// written is a write in progress.
type written struct {
	effects []string // new with this write
	spoil   bool
}

// begin records a write, and decides whether to spoil it.
func (e *effects) begin(method, what, body string) (w written, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.dead {
		return w, errSpoiled
	}
	if !slices.Contains([]string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}, method) ||
		!strings.Contains(what, e.only) {
		return w, nil
	}
	e.seen = append(e.seen, what)
	for _, name := range effectsAfter(e.made, what, body) {
		if !slices.Contains(e.made, name) {
			w.effects = append(w.effects, name)
		}
	}
	e.made = append(e.made, w.effects...)
	switch {
	case e.done:
	case e.match != nil:
		w.spoil = e.match(what, body)
	default:
		w.spoil = slices.Contains(w.effects, e.at)
	}
	return w, nil
}

// spoil records that the effect is being spoiled.
func (e *effects) spoil() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.done { // two matching writes at the same time
		return
	}
	e.done, e.dead = true, e.crash
	close(e.spoiled)
}

// forget drops a failed write: another one makes its effects.
func (e *effects) forget(w written) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.made = slices.DeleteFunc(e.made, func(name string) bool { return slices.Contains(w.effects, name) })
}

// noLongerOwed is the end of what follows from [owed]. It is an effect only after that one: before,
// nothing is owed either.
const (
	owed         = "application: WorkersOwed"
	noLongerOwed = "application: no WorkersOwed"
)

// effectsAfter are the effects of a write after others.
func effectsAfter(made []string, what, body string) []string {
	all := effectsOf(what, body)
	if strings.HasPrefix(what, "PUT bluegreens/") && slices.Contains(made, owed) && !slices.Contains(all, owed) {
		all = append(all, noLongerOwed)
	}
	return all
}

// jobName is the name of a migration's Job, without its application. It differs between releases.
var jobName = regexp.MustCompile(`(expand|contract)-[0-9a-f]{10}`)

// effectsOf names what a write adds to the record or the cluster: a milestone, a claim, a patched
// field. A status that only rewords a release's state has no effect: how often it is written
// depends on timing, and a process that ends there leaves the same state as after the effect
// before.
func effectsOf(what, body string) []string {
	switch {
	case strings.HasPrefix(what, "PATCH "):
		what = jobName.ReplaceAllString(strings.ReplaceAll(what, "my-python-app-", ""), "$1")
		return []string{what + strings.ReplaceAll(patched(body), "my-python-app-", "")}
	case strings.HasPrefix(what, "DELETE jobs/"):
		return []string{jobName.ReplaceAllString(strings.ReplaceAll(what, "my-python-app-", ""), "$1")}
	case strings.HasPrefix(what, "PUT releases/"):
		var rel v1alpha1.Release
		return ofRelease(&rel, json.Unmarshal([]byte(body), &rel))
	case strings.HasPrefix(what, "PUT bluegreens/"):
		var bg v1alpha1.BlueGreen
		return ofApplication(&bg, json.Unmarshal([]byte(body), &bg))
	}
	return []string{what}
}

// places are the parts of a JSON patch's path that add no meaning.
var places = regexp.MustCompile(`^/(spec|metadata)/|turnout\.dev~1|[0-9]+/`)

// patched are the fields that a JSON patch changes.
func patched(body string) string {
	var ops []struct{ Op, Path string }
	if err := json.Unmarshal([]byte(body), &ops); err != nil {
		return " " + err.Error()
	}
	var all []string
	for _, o := range ops {
		if o.Op != "test" {
			all = append(all, " "+o.Op+" "+places.ReplaceAllString(o.Path, ""))
		}
	}
	if strings.Contains(body, v1alpha1.CohortHeaderName) {
		all = append(all, " cohort")
	}
	return strings.Join(slices.Compact(all), "") + dividing(body)
}

// dividing are the weights of a patch that divides users.
func dividing(body string) string {
	var ops []struct {
		Path  string
		Value any
	}
	_ = json.Unmarshal([]byte(body), &ops) // patched says what is wrong with it
	for i, o := range ops {
		if weight, _ := o.Value.(float64); strings.HasSuffix(o.Path, "/weight") && weight > 0 && weight < 100 {
			return fmt.Sprint(" ", weight, "/", ops[i+1].Value)
		}
	}
	return ""
}

func ofRelease(rel *v1alpha1.Release, err error) []string {
	if err != nil {
		return []string{"release: " + err.Error()}
	}
	var all []string
	milestones := reflect.ValueOf(rel.Status.Milestones)
	for i := range milestones.NumField() {
		if field := milestones.Type().Field(i).Name; !milestones.Field(i).IsZero() && field != "Target" && field != "Previous" {
			all = append(all, "release: "+field) // those two come with the claim
		}
	}
	if b := rel.Status.Build; b != nil && !b.IntendedAt.IsZero() {
		all = append(all, "release: Build.IntendedAt")
	}
	if b := rel.Status.Build; b != nil && b.ID != "" {
		all = append(all, "release: Build.ID")
	}
	if l := rel.Status.Live; l != nil && l.KnownAt != nil {
		all = append(all, "release: Live.KnownAt")
	}
	if s := rel.Status.Migration; s != nil {
		if rel.Status.Failure != nil {
			all = append(all, "release: Failure")
		}
		all = append(all, "release: Migration.IntendedAt")
		for name, is := range map[string]bool{"UID": s.UID != "", "ResumedAt": s.ResumedAt != nil, "EndedAt": s.EndedAt != nil} {
			if is {
				all = append(all, "release: Migration."+name)
			}
		}
	}
	if s := rel.Status.Shift; s != nil && s.Cohort != nil {
		all = append(all, "release: cohort")
		if s.Cohort.Generation != 0 {
			all = append(all, "release: cohort led")
		}
		if s.Cohort.EndIntendedAt != nil {
			all = append(all, "release: cohort ends")
		}
		if s.Cohort.EndedAt != nil {
			all = append(all, "release: cohort ended")
		}
	}
	if s := rel.Status.Shift; s != nil {
		for _, w := range s.Weights {
			name := fmt.Sprint("release: weight ", w.Weight)
			all = append(all, name)
			if w.Generation != 0 {
				all = append(all, name+" seen")
			}
			if w.EffectiveAt != nil {
				all = append(all, name+" in effect")
			}
		}
	}
	if rel.Status.FinishedAt != nil {
		all = append(all, "release: FinishedAt")
	}
	return all
}

func ofApplication(bg *v1alpha1.BlueGreen, err error) []string {
	if err != nil {
		return []string{"application: " + err.Error()}
	}
	st := bg.Status
	var all []string
	if st.Active != nil {
		all = append(all, "application: Active")
	}
	if st.LastSwitch != nil && st.LastSwitch.Release != "pretended" {
		all = append(all, "application: LastSwitch")
		if st.Active == nil {
			all = append(all, "application: no Active")
		}
		if st.LastSwitch.Shrunk {
			all = append(all, "application: Shrunk")
		}
	}
	if st.WorkersOwed != nil {
		all = append(all, owed)
	}
	if s := st.Schema; s != nil {
		for name, is := range map[string]bool{
			"Expanded": len(s.Expanded) > 0, "Contract": s.Contract != nil, "Contract.Outcome": s.Contract != nil && s.Contract.Outcome != "",
		} {
			if is {
				all = append(all, "application: "+name)
			}
		}
	}
	if len(st.RolledBack) > 0 {
		all = append(all, "application: RolledBack")
	}
	return all
}

// bodyOf returns a request's body and leaves it readable.
func bodyOf(req *http.Request) string {
	if req.GetBody == nil {
		return ""
	}
	body, err := req.GetBody()
	if err != nil {
		return ""
	}
	defer func() { _ = body.Close() }()
	text, _ := io.ReadAll(body)
	return string(text)
}

// describe names a request's write, such as PUT releases/x/status.
func describe(req *http.Request) string {
	path := req.URL.Path
	if _, rest, ok := strings.Cut(path, "/namespaces/"); ok {
		_, path, _ = strings.Cut(rest, "/")
	}
	return req.Method + " " + path
}

// all are the writes seen so far.
func (e *effects) all() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.seen)
}

// effects are those made so far.
func (e *effects) effects() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.made)
}

// happened reports whether the effect was spoiled.
func (e *effects) happened() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.done
}
