// Package policy holds the admission policies as config/ installs them, for
// whoever has to know whether a cluster decides by them.
package policy

import (
	"bytes"
	_ "embed" // for the files below
	"errors"
	"fmt"
	"io"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
)

// ReleasesName is the name of the policy that decides who may write which cause,
// and of its binding.
const ReleasesName = "turnout-releases"

// Lag is how long after it was written the API servers may not decide by a policy
// yet: each reads it through a watch of its own, once a second
// (apiserver/pkg/admission/plugin/policy/generic/policy_source.go of Kubernetes).
const Lag = 5 * time.Second

//go:embed releases.yaml
var releases []byte

//go:embed grants.yaml
var grants []byte

//go:embed statuses.yaml
var statuses []byte

// Installed is a policy with its binding.
type Installed struct {
	Policy  *admissionv1.ValidatingAdmissionPolicy
	Binding *admissionv1.ValidatingAdmissionPolicyBinding
}

// Releases is the policy that decides who may write which cause.
func Releases() Installed { return decode(releases) }

// All are the policies: besides that of causes, the one that guards the Namespaces'
// annotations, and the one that guards statuses.
func All() []Installed { return []Installed{Releases(), decode(grants), decode(statuses)} }

// decode reads a file of this package; a test reads them all.
func decode(file []byte) Installed {
	out := Installed{&admissionv1.ValidatingAdmissionPolicy{}, &admissionv1.ValidatingAdmissionPolicyBinding{}}
	d := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(file), 4096)
	if err := errors.Join(d.Decode(out.Policy), d.Decode(out.Binding)); err != nil {
		panic(fmt.Sprintf("config/policy: %v", err))
	}
	if err := d.Decode(&struct{}{}); !errors.Is(err, io.EOF) {
		panic(fmt.Sprintf("config/policy: a file has more than a policy and its binding: %v", err))
	}
	return out
}
