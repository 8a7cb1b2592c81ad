// Package policy has the admission policies of config/, for code that must know whether a
// cluster enforces them.
package policy

import (
	"bytes"
	_ "embed" // embeds the files below
	"errors"
	"fmt"
	"io"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
)

// ReleasesName is the name of the policy about causes of releases, and of its binding.
const ReleasesName = "turnout-releases"

// Lag is how long API servers may not enforce a new policy yet: each reads it through its
// own watch, once a second (apiserver/pkg/admission/plugin/policy/generic/policy_source.go
// of Kubernetes).
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

// Releases is the policy about who may write which cause.
func Releases() Installed { return decode(releases) }

// All are all policies: those about causes, about the Namespaces' annotations, and about
// statuses.
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
