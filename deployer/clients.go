package deployer

import (
	"context"
	"time"

	"golang.org/x/oauth2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/cloudbuild"
	"github.com/turnout-dev/turnout/deployer/route"
	"github.com/turnout-dev/turnout/deployer/track"
)

// Each interface is the part of a client that several values here need. A value can change no
// more of the world than its fields allow, and a test has the list. What only one value needs is
// declared there.
type (
	// releaseWriter writes a release's status, by compare-and-swap on what was read.
	releaseWriter interface {
		UpdateRelease(ctx context.Context, rel *v1alpha1.Release, read *v1alpha1.ReleaseStatus) error
	}

	// routesReader reads an Ingress.
	routesReader interface {
		Observe(ctx context.Context, bg *v1alpha1.BlueGreen) (track.Routes, error)
	}

	// newsReader reads what the load balancer's controller reports about an Ingress.
	newsReader interface {
		News(ctx context.Context, bg *v1alpha1.BlueGreen, since string) (track.News, error)
	}

	// translator checks whether the load balancer's controller can use an Ingress.
	translator interface {
		CheckTranslation(ctx context.Context, bg *v1alpha1.BlueGreen, s track.Routes, target v1alpha1.Color) error
	}

	// endpointsReader reads which pods a Service reaches.
	endpointsReader interface {
		ReadyEndpoints(ctx context.Context, namespace, service string) ([]string, error)
	}

	// referrersReader reads which Ingresses send users to a Service.
	referrersReader interface {
		Referrers(ctx context.Context, namespace, service string) ([]string, error)
	}

	// groupsReader reads the load balancer's backends for a colour.
	groupsReader interface {
		GroupStates(ctx context.Context, bg *v1alpha1.BlueGreen, s track.Routes, c v1alpha1.Color) ([]track.Group, error)
	}

	// switcher moves users.
	switcher interface {
		Ports(ctx context.Context, bg *v1alpha1.BlueGreen, c v1alpha1.Color) route.Ports
		Switch(ctx context.Context, bg *v1alpha1.BlueGreen, s track.Routes, to v1alpha1.Color, has route.Ports) error
	}

	// poker makes the load balancer's controller look at an Ingress again.
	poker interface {
		Poke(ctx context.Context, bg *v1alpha1.BlueGreen, s track.Routes, now time.Time) error
	}

	// evidenceReader reads why pods do not start.
	evidenceReader interface {
		Evidence(ctx context.Context, bg *v1alpha1.BlueGreen, s track.Side) []v1alpha1.Evidence
	}

	// scaler scales a colour.
	scaler interface {
		Scale(ctx context.Context, bg *v1alpha1.BlueGreen, c v1alpha1.Color, replicas int32) error
	}

	// raiser keeps a colour's autoscaler from scaling it down.
	raiser interface {
		RaiseMinimum(ctx context.Context, bg *v1alpha1.BlueGreen, colour track.Side, size int32) error
	}

	// restorer gives a colour's autoscaler its owner's minimum back.
	restorer interface {
		RestoreMinimum(ctx context.Context, bg *v1alpha1.BlueGreen, colour track.Side) error
	}
)

// Google is Turnout's access to Google: one identity for all namespaces. A Namespace's
// annotations limit what it may use. So this package reaches Google only through [googleAccess],
// which reads them first.
type Google interface {
	// As returns Cloud Build and the store of sources, used as an account; "" means Turnout's
	// own.
	As(ctx context.Context, account string) (*cloudbuild.Client, *cloudbuild.Store, error)
	// Tokens are an account's credentials for Google's registries.
	Tokens(ctx context.Context, account string) (oauth2.TokenSource, error)
}

// Observer receives events, for metrics.
type Observer interface {
	// StepEnded reports how long a step of a release took.
	StepEnded(app client.ObjectKey, step v1alpha1.Step, took time.Duration)
	// ReleaseEnded reports how a release ended.
	ReleaseEnded(app client.ObjectKey, kind v1alpha1.ReleaseKind, phase v1alpha1.ReleasePhase)
	// Switched reports that traffic moved; kind is Deploy, Rollback or Restore.
	Switched(app client.ObjectKey, kind string)
	// Asked reports the kind of an answer of the public address: served, failed or unseen.
	Asked(app client.ObjectKey, told string)
	// Proved reports how a proof ended, and how long after the switch the new version was first
	// seen; 0 if it was not.
	Proved(app client.ObjectKey, result v1alpha1.ProofResult, newVersionAfter time.Duration)
}
