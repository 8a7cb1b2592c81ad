package bottest

import (
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Shop is the application of most tests, adopted at an image that Turnout did
// not build.
func Shop() v1alpha1.BlueGreen {
	return v1alpha1.BlueGreen{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop", UID: "app-1"},
		Spec: v1alpha1.BlueGreenSpec{
			Repository: "acme/shop", Branch: "main", Environment: "production", URL: "https://shop.example.com",
		},
		Status: v1alpha1.BlueGreenStatus{Live: &v1alpha1.Version{Color: v1alpha1.Blue, Image: "gcr.io/acme/shop:v1.0.0", Replicas: 3}},
	}
}

// The history of the tests: OldCommit was live, then NewCommit, which pull request 7
// brought.
var (
	OldCommit = strings.Repeat("0a", 20)
	NewCommit = strings.Repeat("1b", 20)
	Asked     = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

	OldVersion = v1alpha1.Version{Color: v1alpha1.Blue, Image: "app@sha256:old", Commit: OldCommit, Release: "shop-old", Replicas: 3}
	NewVersion = v1alpha1.Version{Color: v1alpha1.Green, Image: "app@sha256:new", Commit: NewCommit, Release: "shop-" + NewCommit[:12] + "-1"}
)

// Hash is a commit whose hash repeats one digit.
func Hash(digit string) string { return strings.Repeat(digit, 40) }
