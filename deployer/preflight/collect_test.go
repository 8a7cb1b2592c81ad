package preflight

import (
	stdcmp "cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/route"
	"github.com/turnout-dev/turnout/internal/index"
)

// store stands for an API server and a cache of it.
type store struct {
	services  []corev1.Service
	ingresses []networkingv1.Ingress
	configs   map[string]map[string]any // specs by name
	templates map[string]corev1.PodSpec // of Deployments, by name
	claims    map[string]corev1.PersistentVolumeAccessMode
	maps      map[string]map[string]string // data of ConfigMaps, by name; nil: forbidden
	staged    *v1alpha1.Release            // that staged what is live
	listed    []string                     // Deployments that an application names
	named     int                          // how often it was asked whether one does
	fails     error                        // of reading what is not cached
	reads     []string                     // BackendConfigs and claims that were read
}

func (s *store) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	missing := apierrors.NewNotFound(schema.GroupResource{}, key.Name)
	switch o := into.(type) {
	case *corev1.Service:
		i := slices.IndexFunc(s.services, func(s corev1.Service) bool { return s.Name == key.Name })
		if i < 0 {
			return missing
		}
		s.services[i].DeepCopyInto(o)
	case *appsv1.Deployment:
		spec, ok := s.templates[key.Name]
		if !ok {
			return missing
		}
		o.Spec.Template.Spec = spec
		if s.staged != nil {
			o.Spec.Template.Annotations = map[string]string{v1alpha1.ReleaseAnnotation: s.staged.Name}
		}
	case *v1alpha1.Release:
		if s.staged == nil || s.staged.Name != key.Name {
			return missing
		}
		s.staged.DeepCopyInto(o)
	case *corev1.ConfigMap:
		s.reads = append(s.reads, key.Name)
		data, ok := s.maps[key.Name]
		if s.fails != nil || !ok {
			return stdcmp.Or(s.fails, error(missing))
		}
		if data == nil {
			return apierrors.NewForbidden(schema.GroupResource{}, key.Name, nil)
		}
		o.Data = data
	case *corev1.PersistentVolumeClaim:
		s.reads = append(s.reads, key.Name)
		mode, ok := s.claims[key.Name]
		if s.fails != nil || !ok {
			return stdcmp.Or(s.fails, error(missing))
		}
		o.Spec.AccessModes = []corev1.PersistentVolumeAccessMode{mode}
	case *networkingv1.Ingress:
		i := slices.IndexFunc(s.ingresses, func(i networkingv1.Ingress) bool { return i.Name == key.Name })
		if i < 0 {
			return missing
		}
		s.ingresses[i].DeepCopyInto(o)
	case *unstructured.Unstructured:
		s.reads = append(s.reads, key.Name)
		if s.fails != nil {
			return s.fails
		}
		spec, ok := s.configs[key.Name]
		if !ok {
			return missing
		}
		o.Object["spec"] = spec
	}
	return nil
}

func (s *store) List(_ context.Context, into client.ObjectList, options ...client.ListOption) error {
	var o client.ListOptions
	o.ApplyOptions(options)
	switch list := into.(type) {
	case *appsv1.DeploymentList:
		for _, name := range slices.Sorted(maps.Keys(s.templates)) {
			list.Items = append(list.Items, appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: name}})
		}
		return nil
	case *v1alpha1.BlueGreenList:
		s.named++
		if part, _ := o.FieldSelector.RequiresExactMatch(index.Part); slices.ContainsFunc(s.listed,
			func(name string) bool { return index.Deployment(name) == part }) {
			list.Items = make([]v1alpha1.BlueGreen, 1)
		}
		return nil
	case *batchv1.JobList, *batchv1.CronJobList:
		return nil
	}
	list, ok := into.(*networkingv1.IngressList)
	if !ok || o.FieldSelector == nil {
		return errors.New("ingresses are listed by the Service that they name")
	}
	list.Items = slices.DeleteFunc(slices.Clone(s.ingresses), func(i networkingv1.Ingress) bool {
		service, _ := o.FieldSelector.RequiresExactMatch(index.Routes)
		return !slices.Contains(index.Services(&i), service)
	})
	return nil
}

// collection is an application and its collector.
type collection struct {
	Collector
	t     *testing.T
	store store
	good  *situation
	// resolve is the look-up of hosts.
	resolve func(context.Context, string) ([]string, error)
}

func newCollection(t *testing.T) *collection {
	c := &collection{t: t, good: good(), store: store{configs: map[string]map[string]any{"app": config().Spec}}}
	for _, name := range []string{"app-blue-svc", "app-green-svc"} {
		c.store.services = append(c.store.services, *service(name))
	}
	return c
}

func (c *collection) sources() Sources {
	return Sources{Cached: &c.store, Uncached: &c.store, Resolve: c.resolve}
}

func (c *collection) look(soon bool) (Facts, time.Time) {
	c.t.Helper()
	f, again, err := c.Collect(c.t.Context(), c.sources(), c.good.app, route.Read(c.good.app, c.good.ingress), time.Now(), soon)
	if err != nil {
		c.t.Fatal(err)
	}
	return f, again
}

func (c *collection) expectReads(what string, want ...string) {
	c.t.Helper()
	if diff := cmp.Diff(want, c.store.reads); diff != "" {
		c.t.Errorf("BackendConfigs read %s (-want +got):\n%s", what, diff)
	}
	c.store.reads = nil
}

func TestBackendConfigsAreNotReadAtEveryLook(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCollection(t)
		c.look(false)
		c.expectReads("at the first look, once for both colours", "app")
		for range 100 {
			time.Sleep(time.Second)
			c.look(false)
		}
		c.expectReads("at looks soon after")
		c.look(true)
		c.expectReads("before a release begins", "app")
		for range 100 {
			c.look(true)
		}
		c.expectReads("at looks of the same moment")
		time.Sleep(keptForRelease)
		c.look(true)
		c.expectReads("while a release waits", "app")
		time.Sleep(keptFor)
		c.look(false)
		c.expectReads("when it is old", "app")
		c.store.services[1].Annotations["cloud.google.com/backend-config"] = `{"default": "other"}`
		f, _ := c.look(false)
		c.expectReads("when a Service names another", "other")
		if f.Configs["other"].Exists || !f.Configs["app"].Exists {
			t.Errorf("the BackendConfigs are %+v", f.Configs)
		}
	})
}

func TestBackendConfigsAreOnlyReadForGoogle(t *testing.T) {
	t.Parallel()
	c := newCollection(t)
	c.good.elsewhere()
	c.look(true)
	c.expectReads("on another class")
}

func TestABackendConfigThatCannotBeReadIsNotAFinding(t *testing.T) {
	t.Parallel()
	c := newCollection(t)
	c.store.fails = errors.New("the API server is away")
	if _, _, err := c.Collect(t.Context(), c.sources(), c.good.app, route.Read(c.good.app, c.good.ingress), time.Now(), true); err == nil {
		t.Fatal("the collection returns no error")
	}
	c.store.fails = nil
	if f, _ := c.look(false); !f.Configs["app"].Exists {
		t.Error("the failed lookup was remembered")
	}
}

func TestAClusterWithoutBackendConfigsHasNone(t *testing.T) {
	t.Parallel()
	c := newCollection(t)
	c.store.fails = &meta.NoKindMatchError{}
	if f, _ := c.look(true); f.Configs["app"].Exists {
		t.Errorf("the BackendConfigs are %+v", f.Configs)
	}
}

// mounting is a pod template that mounts a claim.
func mounting(claim string) corev1.PodSpec {
	return corev1.PodSpec{Volumes: []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{
		PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim},
	}}}}
}

func TestClaimsOfTheTemplatesThatWillHaveUsersAreReadAndKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCollection(t)
		c.good.elsewhere()
		c.store.templates = map[string]corev1.PodSpec{"app-blue": mounting("files"), "app-green": mounting("old-files")}
		c.good.app.Spec.Blue.Deployment, c.good.app.Spec.Green.Deployment = "app-blue", "app-green"
		c.store.claims = map[string]corev1.PersistentVolumeAccessMode{"files": corev1.ReadWriteOnce}
		f, _ := c.look(false)
		c.expectReads("at the first look: green gets blue's template", "files")
		if diff := cmp.Diff(map[string]Claim{"files": {Exists: true, Modes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}}},
			f.Claims); diff != "" {
			t.Errorf("claims (-want +got):\n%s", diff)
		}
		c.look(false)
		c.expectReads("at the next look")
		c.good.app.Spec.Template = v1alpha1.TemplateOwn
		if f, _ := c.look(false); f.Claims["old-files"].Exists {
			t.Errorf("claims %+v", f.Claims)
		}
		c.expectReads("when both templates count", "old-files")
	})
}

func TestAClaimThatTurnoutMayNotReadIsNotJudged(t *testing.T) {
	t.Parallel()
	c := newCollection(t)
	c.good.elsewhere()
	c.store.templates = map[string]corev1.PodSpec{"app-blue": mounting("files")}
	c.good.app.Spec.Blue.Deployment = "app-blue"
	c.store.fails = apierrors.NewForbidden(schema.GroupResource{}, "files", errors.New("an older role"))
	f, _ := c.look(false)
	if diff := cmp.Diff(map[string]Claim{"files": {}}, f.Claims); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	c.store.fails = errors.New("the API server is away")
	c.Collector = Collector{}
	if _, _, err := c.Collect(t.Context(), c.sources(), c.good.app, route.Read(c.good.app, c.good.ingress), time.Now(), true); err == nil {
		t.Error("there is no error")
	}
}

func TestTheStandbyHostIsLookedUpInTheBackground(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCollection(t)
		asked := 0
		c.resolve = func(ctx context.Context, host string) ([]string, error) {
			asked++
			if host != "preview.example.com" {
				t.Errorf("asked for %s", host)
			}
			if asked == 1 {
				<-ctx.Done() // a name server that does not answer
				return nil, ctx.Err()
			}
			return []string{"192.0.2.2", "192.0.2.1"}, nil
		}
		if _, again := c.look(true); asked != 0 || !again.IsZero() {
			t.Errorf("the default host was looked up, next look at %s", again)
		}
		c.good.app.Spec.Ingress.StandbyHost = "preview.example.com"
		began := time.Now()
		_, again := c.look(true)
		c.look(true)
		if took := time.Since(began); took != 0 {
			t.Errorf("two looks took %s", took)
		}
		time.Sleep(time.Until(again))
		synctest.Wait()
		if f, again := c.look(true); len(f.Resolved) > 0 || asked != 1 || !again.IsZero() {
			t.Errorf("%d lookups, found %v, next look at %s", asked, f.Resolved, again)
		}
		time.Sleep(nameFor)
		c.look(true)
		synctest.Wait()
		f, _ := c.look(true)
		if diff := cmp.Diff([]string{"192.0.2.1", "192.0.2.2"}, f.Resolved); diff != "" || asked != 2 {
			t.Errorf("asked %d times, addresses (-want +got):\n%s", asked, diff)
		}
		c.good.app.Spec.Ingress.StandbyHost = "preview.invalid"
		if f, _ := c.look(true); len(f.Resolved) > 0 || asked != 2 {
			t.Errorf("asked %d times, found %v", asked, f.Resolved)
		}
	})
}

func TestOtherIngressesAreUsersUnlessTheyAreStandby(t *testing.T) {
	t.Parallel()
	c := newCollection(t)
	c.good.app.Spec.Ingress.Name = "app"
	to := func(name, host, service string) networkingv1.Ingress {
		i := networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Name: name}}
		i.Spec.Rules = []networkingv1.IngressRule{{
			Host: host,
			IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{
				Paths: []networkingv1.HTTPIngressPath{{
					Path:    "/",
					Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: service}},
				}},
			}},
		}}
		return i
	}
	own, standby, preview := to("app", "shop.example.com", "app-blue-svc"), to("standby", "x.invalid", "app-green-svc"), to("preview",
		"preview.example.com", "app-green-svc")
	own.Annotations, own.Spec.IngressClassName = map[string]string{"kubernetes.io/ingress.class": "gce"}, new("nginx")
	standby.Annotations = map[string]string{v1alpha1.StandbyAnnotationPrefix + "other": "x.invalid"}
	preview.Spec.Rules = append(preview.Spec.Rules, to("", "p2.example.com", "app-green-svc").Spec.Rules...)
	c.store.ingresses = []networkingv1.Ingress{own, standby, preview}
	f, _ := c.look(true)
	if diff := cmp.Diff([]User{{"preview", "preview.example.com/ and 1 more", v1alpha1.Green}}, f.Users); diff != "" {
		t.Errorf("users (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Ingress{Class: "gce", ClassName: "nginx"}, f.Ingress); diff != "" {
		t.Errorf("the Ingress (-want +got):\n%s", diff)
	}
}

// A namespace in which a thousand Deployments have one image must not make each look slow. What
// is said of one is as it is now.
func TestDeploymentsOfOneImageAreNotAllJudgedAtEveryLook(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCollection(t)
		c.good.elsewhere()
		spec := corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "shop/app:1"}}}
		c.good.app.Spec.Container, c.good.app.Spec.Blue.Deployment = "app", "app-blue"
		c.store.templates = map[string]corev1.PodSpec{"app-blue": spec, "mail": spec, "search": spec}
		c.store.listed = []string{"app-blue"}
		for i := range 100 {
			name := fmt.Sprintf("other-%d", i)
			c.store.templates[name], c.store.listed = spec, append(c.store.listed, name)
		}
		expect := func(when string, asked int, want ...string) {
			t.Helper()
			c.store.named = 0
			f, _ := c.look(true)
			var got []string
			for _, u := range f.Beside.Unlisted {
				got = append(got, u.Object)
			}
			if diff := cmp.Diff(want, got); diff != "" || c.store.named != asked {
				t.Errorf("%s: asked %d times, want %d; not listed (-want +got):\n%s", when, c.store.named, asked, diff)
			}
		}
		expect("at first", 103+2, "deployment mail", "deployment search")
		expect("soon after", 2, "deployment mail", "deployment search")
		c.store.listed = append(c.store.listed, "mail")
		expect("once an application names one", 2, "deployment search")
		delete(c.store.templates, "search")
		expect("once one is gone", 2)
		c.store.templates["new"] = spec
		expect("one is new", 2)
		time.Sleep(keptForRelease)
		expect("after a while", 103+1, "deployment new")
		c.store.listed = slices.DeleteFunc(c.store.listed, func(name string) bool { return name == "other-7" })
		c.good.app.Status.ObservedGeneration, c.good.app.Generation = 1, 2
		expect("the application does not name one any more", 103+2, "deployment new", "deployment other-7")
	})
}
