package v1alpha1_test

import (
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

func TestCRD(t *testing.T) {
	env := &envtest.Environment{BinaryAssetsDirectory: "../../bin", CRDDirectoryPaths: []string{"../../config/crd"}}
	if _, err := env.Start(); err != nil {
		t.Fatal(err)
	}
	env.Stop()
}
