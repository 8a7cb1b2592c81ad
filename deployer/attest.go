package deployer

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/config/policy"
)

// lookForPolicy is how long the result of looking for the admission policy is kept.
const lookForPolicy = time.Minute

// attesting determines who vouches for the causes.
type attesting struct {
	policy *attestation
}

// attest records whether admission checked a release's causes. A release from before the policy
// is only a claim. So is one that outlives the policy, since its approval may be later.
func (t attesting) attest(ctx context.Context, a *attempt) {
	st := &a.rel.Status
	if st.Attestation == v1alpha1.CausesClaimed {
		return
	}
	since, err := t.policy.inForce(ctx, a.o.Now)
	if err != nil {
		a.log.WarnContext(ctx, "the admission policy cannot be read; causes count as claims", "error", err)
	}
	first := st.Attestation == ""
	st.Attestation = v1alpha1.CausesClaimed
	if !since.IsZero() && (!first || !a.rel.CreationTimestamp.Time.Before(since.Truncate(time.Second))) {
		st.Attestation = v1alpha1.CausesAttested
	}
}

// attestation knows since when the API server checks who may write which cause.
type attestation struct {
	reader client.Reader
	lag    time.Duration

	mu    sync.Mutex
	asked time.Time
	since time.Time // zero: not
}

// inForce is the time since which the admission policy is in force exactly as shipped; zero if it
// is not.
func (p *attestation) inForce(ctx context.Context, now time.Time) (time.Time, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.asked.IsZero() && now.Sub(p.asked) < lookForPolicy {
		return p.since, nil
	}
	since, err := p.look(ctx)
	if err != nil {
		return time.Time{}, err
	}
	p.asked, p.since = now, since
	return since, nil
}

// look reads the policy and its binding. If Turnout may not read them, they count as missing.
func (p *attestation) look(ctx context.Context) (time.Time, error) {
	want, found := policy.Releases(), policy.Releases()
	for _, o := range []client.Object{found.Policy, found.Binding} {
		err := p.reader.Get(ctx, client.ObjectKey{Name: policy.ReleasesName}, o)
		if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) {
			return time.Time{}, nil
		}
		if err != nil {
			return time.Time{}, fmt.Errorf("reading the admission policy %s: %w", policy.ReleasesName, err)
		}
	}
	same := equality.Semantic.DeepEqual(want.Policy.Spec, found.Policy.Spec) &&
		equality.Semantic.DeepEqual(want.Binding.Spec, found.Binding.Spec)
	if !same {
		return time.Time{}, nil
	}
	written := slices.MaxFunc([]time.Time{writtenAt(found.Policy), writtenAt(found.Binding)}, time.Time.Compare)
	return written.Add(cmp.Or(p.lag, policy.Lag)), nil
}

// writtenAt is when an object's spec was last written.
func writtenAt(o client.Object) time.Time {
	at := o.GetCreationTimestamp().Time
	for _, f := range o.GetManagedFields() {
		if f.Subresource == "" && f.Operation != "" && f.Time != nil && f.Time.After(at) {
			at = f.Time.Time
		}
	}
	return at
}
