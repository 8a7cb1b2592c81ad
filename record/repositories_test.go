package record_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/turnout-dev/turnout/record"
)

func newRepositories(t *testing.T) *record.Repositories {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "home-"}}
	check(t, kube.Create(t.Context(), ns))
	return &record.Repositories{Client: kube, Reader: kube, Namespace: ns.Name}
}

func meet(t *testing.T, r *record.Repositories, namespace, repository string, id, want int64) {
	t.Helper()
	if met, err := r.Meet(t.Context(), namespace, repository, id); err != nil || met != want {
		t.Errorf("recording %s with number %d in %s gives %d, %v, want %d", repository, id, namespace, met, err, want)
	}
}

func TestARepositoryIsMetOnceInEachNamespace(t *testing.T) {
	t.Parallel()
	r := newRepositories(t)
	meet(t, r, "shop", "acme/app", 1, 1)
	meet(t, r, "shop", "acme/app", 666, 1)
	meet(t, r, "shop", "Acme/App", 666, 1) // names on GitHub ignore case
	meet(t, r, "shop", "acme/app.js", 2, 2)
	meet(t, r, "mail", "acme/app", 666, 666)
	check(t, r.Repin(t.Context(), "shop", "acme/APP", 3))
	check(t, r.Repin(t.Context(), "shop", "acme/new", 4))
	meet(t, r, "shop", "acme/app", 1, 3)
	meet(t, r, "shop", "acme/new", 1, 4)
	meet(t, r, "mail", "acme/app", 1, 666)
}

// TestTwoProcessesMeetOneRepository: whoever comes first, both use one number.
func TestTwoProcessesMeetOneRepository(t *testing.T) {
	t.Parallel()
	r := newRepositories(t)
	const processes = 6
	met, errs := make([]int64, processes), make([]error, processes)
	var all sync.WaitGroup
	for i := range met {
		all.Go(func() { met[i], errs[i] = r.Meet(t.Context(), "shop", "acme/app", int64(i+1)) })
	}
	all.Wait()
	check(t, errors.Join(errs...))
	for i := range met {
		if met[i] != met[0] {
			t.Errorf("the callers got the numbers %v, want one number", met)
		}
	}
	meet(t, r, "shop", "acme/app", 99, met[0])
}

// TestMeetingTakesWhatWasWrittenBetweenReadAndWrite: whether the ledger existed before or
// not.
func TestMeetingTakesWhatWasWrittenBetweenReadAndWrite(t *testing.T) {
	t.Parallel()
	for _, there := range []bool{false, true} {
		r := newRepositories(t)
		if there {
			meet(t, r, "shop", "acme/other", 7, 7)
		}
		slow, once := *r, sync.Once{}
		slow.Reader = interceptor.NewClient(kube, interceptor.Funcs{
			Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
				err := c.Get(ctx, key, o, opts...)
				once.Do(func() { meet(t, r, "shop", "acme/app", 1, 1) })
				return err
			},
		})
		meet(t, &slow, "shop", "acme/app", 666, 1)
	}
}

func TestTheLedgerOfRepositoriesSaysWhatIsWrongWithIt(t *testing.T) {
	t.Parallel()
	r := newRepositories(t)
	full := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: r.Namespace, Name: "turnout-repositories-full"},
		Data:       map[string]string{},
	}
	for i := range 1500 {
		full.Data[fmt.Sprint("acme.app-", i)] = "1"
	}
	bad := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: r.Namespace, Name: "turnout-repositories-bad"},
		Data:       map[string]string{"acme.app": "one", "acme.none": "0"},
	}
	check(t, kube.Create(t.Context(), full))
	check(t, kube.Create(t.Context(), bad))
	forbidden := *r
	forbidden.Reader = interceptor.NewClient(kube, interceptor.Funcs{
		Get: func(_ context.Context, _ client.WithWatch, key client.ObjectKey, _ client.Object, _ ...client.GetOption) error {
			return apierrors.NewForbidden(schema.GroupResource{Resource: "configmaps"}, key.Name, errors.New("no"))
		},
	})
	homeless := *r
	homeless.Namespace = "not-there"
	for name, c := range map[string]struct {
		ledger                *record.Repositories
		namespace, repository string
		says                  []string
	}{
		"full": {
			r, "full", "acme/one-more",
			[]string{r.Namespace + "/turnout-repositories-full has 1500 repositories", "remove entries"},
		},
		"no number":    {r, "bad", "acme/app", []string{r.Namespace + `/turnout-repositories-bad: acme.app is "one"`, "correct it"}},
		"zero":         {r, "bad", "acme/none", []string{`acme.none is "0"`}},
		"no right":     {&forbidden, "shop", "acme/app", []string{"config/rbac/own.yaml"}},
		"no namespace": {&homeless, "shop", "acme/app", []string{"is there that namespace"}},
	} {
		met, err := c.ledger.Meet(t.Context(), c.namespace, c.repository, 1)
		if err == nil {
			t.Errorf("%s: met %d", name, met)
			continue
		}
		for _, part := range c.says {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: the error lacks %q: %v", name, part, err)
			}
		}
	}
	meet(t, r, "full", "acme/app-3", 9, 1) // a known repository still has its number
	check(t, r.Repin(t.Context(), "bad", "acme/app", 5))
	meet(t, r, "bad", "acme/app", 9, 5)
}
