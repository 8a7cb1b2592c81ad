package deployer

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// A change of one application wakes no other one of its namespace, and no look reads others'
// objects.
func TestNeighboursCostNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var apps []string
	for i := range 12 {
		apps = append(apps, w.neighbour(fmt.Sprintf("app-%02d", i)))
	}
	seen := &looksSeen{of: map[string]int{}}
	reads := &frugal{t: t}
	w.runWith(seen.config(), func(d *Deployer) {
		reads.Client = d.Client
		d.Client, d.Record.Client, d.Workloads.Client, d.Routes.Client = reads, reads, reads, reads
	})
	w.quiet(seen, apps)
	reads.strict.Store(true)
	one, last := apps[0], apps[len(apps)-1]

	for _, event := range []struct {
		what  string
		patch client.Object
		text  string
		wakes []string
	}{
		{"a change of its spec", w.named(&v1alpha1.BlueGreen{}, one), `{"spec":{"historyLimit":7}}`, []string{one}},
		{"another repository", w.named(&v1alpha1.BlueGreen{}, one), `{"spec":{"branch":"trunk"}}`, []string{one}},
		{"a change of its Deployment", w.named(w.deployment(v1alpha1.Green), one+"-green"), `{"metadata":{"labels":{"x":"y"}}}`, []string{one}},
		{"a change of its Service", w.named(w.service(v1alpha1.Blue), one+"-blue-svc"), `{"metadata":{"labels":{"x":"y"}}}`, []string{one}},
		{"a change of its Ingress", w.named(w.ingress(), one+"-ingress"), `{"metadata":{"labels":{"x":"y"}}}`, []string{one}},
		{
			"a Service that is shared from now on", w.named(&v1alpha1.BlueGreen{}, one), `{"spec":{"green":{"service":"app-05-green-svc"}}}`,
			[]string{one, "app-05"},
		},
		{"a Service that is shared no more", w.named(&v1alpha1.BlueGreen{}, one), `{"spec":{"green":null}}`, []string{one, "app-05"}},
	} {
		seen.reset()
		w.patch(event.patch, event.text)
		for _, app := range event.wakes {
			w.until(app+" to be looked at", func() bool { return seen.count(app) > 0 }, seen.String)
		}
		seen.passed(w, last) // whoever it woke, woke earlier
		if diff := slices.Compare(seen.without(last), event.wakes); diff != 0 {
			t.Errorf("%s wakes %v, want %v", event.what, seen.without(last), event.wakes)
		}
	}
}

// neighbour creates an application like the world's with another name.
func (w *world) neighbour(name string) string {
	w.t.Helper()
	objects := []client.Object{w.ingress(), &v1alpha1.BlueGreen{ObjectMeta: w.meta("my-python-app"), Spec: v1alpha1.BlueGreenSpec{
		Repository: repository, Build: v1alpha1.BuildSpec{Project: "acme-prod"},
	}}}
	for _, c := range []v1alpha1.Color{v1alpha1.Blue, v1alpha1.Green} {
		objects = append(objects, w.deployment(c), w.service(c))
	}
	for _, o := range objects {
		text, err := json.Marshal(o)
		check(w.t, err)
		text = []byte(strings.ReplaceAll(strings.ReplaceAll(string(text), "my-python-app", name), "acme/"+name, repository))
		renamed, ok := reflect.TypeAssert[client.Object](reflect.New(reflect.TypeOf(o).Elem()))
		if !ok {
			w.t.Fatalf("%T is no object", o)
		}
		check(w.t, json.Unmarshal(text, renamed))
		w.create(renamed)
	}
	return name
}

func (w *world) named(o client.Object, name string) client.Object {
	o.SetNamespace(w.namespace)
	o.SetName(name)
	return o
}

// quiet waits until touching an application causes exactly one look: everything from its creation
// has been seen.
func (w *world) quiet(seen *looksSeen, apps []string) {
	w.t.Helper()
	for _, app := range apps {
		bg := &v1alpha1.BlueGreen{}
		w.until(app+" to be ready", func() bool {
			w.get(w.named(bg, app))
			return meta.IsStatusConditionTrue(bg.Status.Conditions, v1alpha1.ConditionReady)
		}, func() string { return fmt.Sprint(bg.Status.Conditions) })
	}
	round := 0
	w.until("no look but those that are due", func() bool {
		round++
		seen.reset()
		for _, app := range apps {
			seen.touch(w, app, round)
		}
		for _, app := range apps {
			w.until(app+" to be looked at", func() bool { return seen.count(app) > 0 }, seen.String)
		}
		return seen.total() == len(apps)
	}, seen.String)
}

// looksSeen counts the looks at each application: each begins with a read past the cache.
type looksSeen struct {
	mu     sync.Mutex
	of     map[string]int
	passes int
}

var readsApplication = regexp.MustCompile(`/bluegreens/[^/]+$`)

func (s *looksSeen) config() *rest.Config {
	cfg := rest.CopyConfig(plane.Config)
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(req *http.Request) (*http.Response, error) {
			if req.Method == http.MethodGet && readsApplication.MatchString(req.URL.Path) {
				s.mu.Lock()
				s.of[path.Base(req.URL.Path)]++
				s.mu.Unlock()
			}
			return next.RoundTrip(req)
		})
	})
	return cfg
}

func (s *looksSeen) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.of)
}

func (s *looksSeen) count(app string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.of[app]
}

func (s *looksSeen) total() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, looks := range s.of {
		n += looks
	}
	return n
}

// without returns the applications that were looked at, except one.
func (s *looksSeen) without(app string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Sorted(maps.Keys(s.of)), func(name string) bool { return name == app })
}

func (s *looksSeen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf("looks at each: %v", s.of)
}

func (s *looksSeen) touch(w *world, app string, n int) {
	w.t.Helper()
	w.patch(w.named(&v1alpha1.BlueGreen{}, app), fmt.Sprintf(`{"metadata":{"annotations":{"touched":"%d"}}}`, n))
}

// passed touches an application through each kind of object, and waits for its looks.
func (s *looksSeen) passed(w *world, app string) {
	w.t.Helper()
	for _, o := range []client.Object{
		w.named(&v1alpha1.BlueGreen{}, app), w.named(w.deployment(v1alpha1.Green), app+"-green"),
		w.named(w.service(v1alpha1.Blue), app+"-blue-svc"), w.named(w.ingress(), app+"-ingress"),
	} {
		s.passes++
		before := s.count(app)
		w.patch(o, fmt.Sprintf(`{"metadata":{"annotations":{"passed":"%d"}}}`, s.passes))
		w.until(app+" to be looked at", func() bool { return s.count(app) > before }, s.String)
	}
}

// frugal reports lists that contain objects of several applications.
type frugal struct {
	client.Client
	t      testing.TB
	strict atomic.Bool // the grants are in place, which wakes the whole namespace
}

var prefixOfNeighbour = regexp.MustCompile(`^(app-\d\d|my-python-app)`)

func (f *frugal) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	err := f.Client.List(ctx, list, options...)
	if err != nil || !f.strict.Load() {
		return err
	}
	names := map[string]bool{}
	check(f.t, meta.EachListItem(list, func(o runtime.Object) error {
		if m, ok := o.(metav1.Object); ok {
			names[prefixOfNeighbour.FindString(m.GetName())] = true
		}
		return nil
	}))
	if apps := slices.Sorted(maps.Keys(names)); len(apps) > 1 && !slices.Equal(apps, []string{"app-00", "app-05"}) {
		f.t.Errorf("a list of %T has objects of %v", list, apps)
	}
	return nil
}
