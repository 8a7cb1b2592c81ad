package doctor

import (
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// nameOf names an object as kubectl does.
func nameOf(object *unstructured.Unstructured) string {
	return named(object.GetKind(), object.GetNamespace(), object.GetName())
}

func named(kind, namespace, name string) string {
	if namespace != "" {
		name = namespace + "/" + name
	}
	return strings.ToLower(kind) + " " + name
}

// describe is the command that shows an object and its events.
func describe(object *unstructured.Unstructured) v1alpha1.ShellCommand {
	return describes(object.GetKind(), object.GetNamespace(), object.GetName())
}

func describes(kind, namespace, name string) v1alpha1.ShellCommand {
	kind = strings.ToLower(kind)
	if namespace == "" {
		return v1alpha1.Shell("kubectl", "describe", kind, name)
	}
	return v1alpha1.Kubectl("describe", kind, name, namespace)
}

func commands(all ...v1alpha1.ShellCommand) []v1alpha1.ShellCommand { return v1alpha1.Commands(all...) }
