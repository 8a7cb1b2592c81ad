package v1alpha1

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Defaults of the durations that may be 0, as in the schema.
const (
	DefaultSoak     = 5 * time.Minute
	DefaultDrain    = 5 * time.Minute
	DefaultHold     = 15 * time.Minute
	DefaultBaseline = 30 * time.Second
	DefaultTail     = 30 * time.Second
)

// DefaultSettle is how long Google's load balancer must find a colour healthy if it does
// not report on each pod. Google's default interval of a health check is 15 s, and two
// answers make a backend unhealthy (ingress-gce pkg/translator/healthchecks.go:45-61).
const DefaultSettle = 30 * time.Second

// SoakTime returns spec.soak, or its default.
func (s *BlueGreenSpec) SoakTime() time.Duration { return orDefault(s.Soak, DefaultSoak) }

// DrainTime returns spec.drain, or its default.
func (s *BlueGreenSpec) DrainTime() time.Duration { return orDefault(s.Drain, DefaultDrain) }

// HoldTime returns spec.hold, or its default.
func (s *BlueGreenSpec) HoldTime() time.Duration { return orDefault(s.Hold, DefaultHold) }

// BaselineTime returns spec.proof.baseline, or its default.
func (s *ProofSpec) BaselineTime() time.Duration { return orDefault(s.Baseline, DefaultBaseline) }

// TailTime returns spec.proof.tail, or its default.
func (s *ProofSpec) TailTime() time.Duration { return orDefault(s.Tail, DefaultTail) }

func orDefault(d *metav1.Duration, otherwise time.Duration) time.Duration {
	if d == nil {
		return otherwise
	}
	return d.Duration
}

// Side returns the names of a colour's objects, including defaults.
func (b *BlueGreen) Side(c Color) Side {
	s := b.Spec.Blue
	if c == Green {
		s = b.Spec.Green
	}
	if s.Deployment == "" {
		s.Deployment = b.Name + "-" + string(c)
	}
	if s.Service == "" {
		s.Service = b.Name + "-" + string(c) + "-svc"
	}
	return s
}

// IngressName returns the name of the Ingress that routes users.
func (b *BlueGreen) IngressName() string {
	if b.Spec.Ingress.Name != "" {
		return b.Spec.Ingress.Name
	}
	return b.Name + "-ingress"
}

// StandbyRoute returns the name of the HTTPRoute that, on a Gateway, keeps the idle colour
// referenced. Each application has its own, since several may share a route.
func (b *BlueGreen) StandbyRoute() string { return b.Name + "-standby" }

// StandbyHost returns the host that keeps the idle colour referenced. The default is
// unguessable (the UID is random) and unresolvable (.invalid is reserved for that, RFC
// 2606).
func (b *BlueGreen) StandbyHost() string {
	if b.Spec.Ingress.StandbyHost != "" {
		return b.Spec.Ingress.StandbyHost
	}
	return fmt.Sprintf("standby-%s.invalid", b.UID)
}

// SourceBucket returns the bucket for a build's source.
func (b *BlueGreen) SourceBucket() string {
	if b.Spec.Build.Source.Bucket != "" {
		return b.Spec.Build.Source.Bucket
	}
	return b.Spec.Build.Project + "_cloudbuild"
}
