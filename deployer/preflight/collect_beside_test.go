package preflight

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/configmap"
)

// configured is an application whose live pods read the ConfigMaps settings and, no longer, old.
func configured(t *testing.T) *collection {
	c := newCollection(t)
	c.store.staged = &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Name: "app-a1", UID: "uid of a1"}}
	c.store.templates = map[string]corev1.PodSpec{"app-blue": {Containers: []corev1.Container{
		{Name: "app", EnvFrom: []corev1.EnvFromSource{
			{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "settings"}}},
		}},
		{Name: "proxy"},
	}}}
	c.store.maps = map[string]map[string]string{"settings": {"COLOR": "red"}, "old": {"a": "b"}}
	for _, name := range []string{"old", "settings"} {
		now, known, err := configmap.Read(t.Context(), &c.store, client.ObjectKey{Name: name})
		if err != nil || !known {
			t.Fatal(known, err)
		}
		c.store.staged.Status.ConfigMaps = append(c.store.staged.Status.ConfigMaps,
			v1alpha1.ConfigMapRecord{Name: name, Digest: configmap.Digest("uid of a1", now)})
	}
	c.store.reads = nil
	return c
}

func (c *collection) expectChanged(what string, want ...string) {
	c.t.Helper()
	f, _ := c.look(false)
	if diff := cmp.Diff(want, f.Beside.Changed); diff != "" {
		c.t.Errorf("ConfigMaps that changed %s (-want +got):\n%s", what, diff)
	}
	time.Sleep(keptFor)
}

func TestConfigMapsOfTheLivePodsAreComparedWithWhatTheReleaseRecorded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := configured(t)
		c.expectChanged("when none did")
		c.store.maps["old"] = map[string]string{"a": "c"}
		c.expectChanged("when one did that the pods no longer read")
		c.store.maps["settings"] = map[string]string{"COLOR": "blue"}
		c.expectChanged("when the pods' own did", "settings")
		c.store.maps["settings"] = map[string]string{"COLOR": "red"}
		c.expectChanged("when it is as it was")
		delete(c.store.maps, "settings")
		c.expectChanged("when it is gone", "settings")
		c.store.maps["settings"] = nil
		c.expectChanged("when it may not be read")
		c.store.staged.Name = "app-b2"
		c.store.staged.Status.ConfigMaps = nil
		c.expectChanged("when the release recorded none")
	})
}

func TestConfigMapsAreKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := configured(t)
		c.look(false)
		c.expectReads("at the first look", "app", "settings")
		for range 100 {
			time.Sleep(time.Second)
			c.look(false)
		}
		c.expectReads("at looks soon after")
	})
}
