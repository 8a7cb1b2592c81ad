package record

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Repositories is the ledger of first contacts: the number that each repository's name had
// when a namespace first used it. It is in Turnout's own namespace, since the owner of an
// application's namespace could delete a BlueGreen with its status.
type Repositories struct {
	// Client writes; Reader reads without a cache.
	Client client.Client
	Reader client.Reader
	// Namespace of the ledger: Turnout's own.
	Namespace string
}

const (
	// maxMet is how many repositories a namespace may have. With names of 140 bytes that is
	// a quarter of what one object can hold.
	maxMet = 1500
	// maxRaces is how often a write that lost a race is repeated.
	maxRaces = 8
)

// Meet returns the number of a repository in a namespace's ledger. At first contact it
// records the present number.
func (r *Repositories) Meet(ctx context.Context, namespace, repository string, id int64) (int64, error) {
	return r.note(ctx, namespace, repository, id, false)
}

// Repin records another number, which only a cluster administrator may ask for.
func (r *Repositories) Repin(ctx context.Context, namespace, repository string, id int64) error {
	_, err := r.note(ctx, namespace, repository, id, true)
	return err
}

// note adds or replaces an entry. Applications of a namespace share the object, so it reads
// again after a lost race.
func (r *Repositories) note(ctx context.Context, namespace, repository string, id int64, over bool) (int64, error) {
	key := strings.ToLower(strings.ReplaceAll(repository, "/", ".")) // owners have no dots
	for range maxRaces {
		ledger := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: r.Namespace, Name: "turnout-repositories-" + namespace}}
		err := r.Reader.Get(ctx, client.ObjectKeyFromObject(ledger), ledger)
		if client.IgnoreNotFound(err) != nil {
			return 0, r.failed("reading", ledger, err)
		}
		if entry, found := ledger.Data[key]; found {
			met, err := strconv.ParseInt(entry, 10, 64)
			if !over && (err != nil || met <= 0) {
				return 0, fmt.Errorf("configmap %s/%s: %s is %q, and must be the number of repository %s: correct it", ledger.Namespace, ledger.Name,
					key, entry, repository)
			}
			if !over || met == id {
				return met, nil
			}
		} else if len(ledger.Data) >= maxMet {
			return 0, fmt.Errorf("configmap %s/%s has %d repositories, and takes no more: remove entries of repositories that namespace %s does "+
				"not use", ledger.Namespace, ledger.Name, len(ledger.Data), namespace)
		}
		err = r.write(ctx, ledger, key, id)
		if err == nil {
			return id, nil
		}
		if !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) {
			return 0, r.failed("writing", ledger, err)
		}
	}
	return 0, fmt.Errorf("writing down repository %s of namespace %s: %w", repository, namespace, ErrHeld)
}

// write is a compare-and-swap: it creates the object if none was read, or updates the
// version that was read.
func (r *Repositories) write(ctx context.Context, ledger *corev1.ConfigMap, key string, id int64) error {
	if ledger.Data == nil {
		ledger.Data = map[string]string{}
	}
	ledger.Data[key] = strconv.FormatInt(id, 10)
	if ledger.ResourceVersion == "" {
		return r.Client.Create(ctx, ledger, client.FieldOwner(v1alpha1.DeployerManager))
	}
	return r.Client.Update(ctx, ledger, client.FieldOwner(v1alpha1.DeployerManager))
}

func (r *Repositories) failed(what string, ledger *corev1.ConfigMap, err error) error {
	if apierrors.IsForbidden(err) || apierrors.IsNotFound(err) {
		return fmt.Errorf("%s configmap %s/%s, the ledger of repositories: is there that namespace, and config/rbac/own.yaml applied to it? %w",
			what, ledger.Namespace, ledger.Name, err)
	}
	return fmt.Errorf("%s configmap %s/%s, the ledger of repositories: %w", what, ledger.Namespace, ledger.Name, err)
}
