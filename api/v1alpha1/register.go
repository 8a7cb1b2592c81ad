package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the API group and version of every type of this package.
var GroupVersion = schema.GroupVersion{Group: "turnout.dev", Version: "v1alpha1"}

// SchemeBuilder registers the types of this package.
var SchemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)

// AddToScheme adds the types of this package to a scheme.
var AddToScheme = SchemeBuilder.AddToScheme

func addKnownTypes(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion, &BlueGreen{}, &BlueGreenList{}, &Release{}, &ReleaseList{}, &Delivery{}, &DeliveryList{})
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}
