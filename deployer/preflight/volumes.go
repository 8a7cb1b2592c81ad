package preflight

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// claimNames are the claims that pods with users mount, each once.
func claimNames(f Facts) []string {
	var names []string
	for _, t := range f.staged() {
		for _, v := range t.Spec.Volumes {
			if c := v.PersistentVolumeClaim; c != nil && !slices.Contains(names, c.ClaimName) {
				names = append(names, c.ClaimName)
			}
		}
	}
	return names
}

// claims reports claims that both colours mount and that one pod, or one node, can have. A
// release runs both colours at the same time.
func claims(f Facts) []v1alpha1.Finding {
	var all []v1alpha1.Finding
	for _, t := range f.staged() {
		for _, v := range t.Spec.Volumes {
			if v.PersistentVolumeClaim == nil || !mountedByBoth(f, v.PersistentVolumeClaim.ClaimName) {
				continue
			}
			name := v.PersistentVolumeClaim.ClaimName
			about, field := f.about("deployment", t.Deployment), "spec.template.spec.volumes["+v.Name+"]"
			switch modes := f.Claims[name].Modes; {
			case slices.Contains(modes, corev1.ReadWriteMany) || slices.Contains(modes, corev1.ReadOnlyMany):
			case slices.Contains(modes, corev1.ReadWriteOncePod):
				all = append(all, about.fault("Claim", field, "both colours mount persistentvolumeclaim %s, which is ReadWriteOncePod: as long as "+
					"a pod of the live colour has it, no pod of the other colour starts: use a claim that is ReadWriteMany, such as one of "+
					"Filestore, or keep the data in a database or a bucket", name))
			case slices.Contains(modes, corev1.ReadWriteOnce):
				all = append(all, about.warning("Claim", field, "both colours mount persistentvolumeclaim %s, which is ReadWriteOnce: its volume "+
					"is on one node at a time, so a new pod starts only on the node of the old ones (elsewhere it waits with a Multi-Attach "+
					"error), and both versions write to it at the same time: use a claim that is ReadWriteMany, such as one of Filestore, or "+
					"keep the data in a database or a bucket", name))
			}
		}
	}
	return all
}

// mountedByBoth reports whether the pods of both colours will mount a claim. With
// spec.template: Live both have the live colour's template.
func mountedByBoth(f Facts, claim string) bool {
	staged := f.staged()
	return f.App.Spec.Template != v1alpha1.TemplateOwn || len(staged) == len(both) && !slices.ContainsFunc(staged, func(t Template) bool {
		return !slices.ContainsFunc(t.Spec.Volumes, func(v corev1.Volume) bool {
			return v.PersistentVolumeClaim != nil && v.PersistentVolumeClaim.ClaimName == claim
		})
	})
}

// podStorage warns of storage that one pod, or one node, has: a switch leaves behind what users
// put there. A directory that is temporary by the Filesystem Hierarchy Standard, or in memory,
// holds nothing that anybody misses.
func podStorage(f Facts) []v1alpha1.Finding {
	var all []v1alpha1.Finding
	for _, t := range f.staged() {
		for _, v := range t.Spec.Volumes {
			if !keeps(t.Spec, v) {
				continue
			}
			whose := "each pod has its own, and it goes with the pod"
			if v.HostPath != nil {
				whose = "each node has its own, and pods of the new version may run on other nodes"
			}
			all = append(all, f.about("deployment", t.Deployment).warning("PodStorage", "spec.template.spec.volumes["+v.Name+"]",
				"%s: what users put there (uploads, and sessions, whose loss logs them out) is gone for them after a switch: keep such data in "+
					"a database, a bucket or a claim that is ReadWriteMany", whose))
		}
	}
	return all
}

// keeps reports whether a container writes into a volume of the pod or the node what users may
// miss.
func keeps(pod corev1.PodSpec, v corev1.Volume) bool {
	if v.EmptyDir == nil && v.Ephemeral == nil && v.HostPath == nil || v.EmptyDir != nil && v.EmptyDir.Medium == corev1.StorageMediumMemory {
		return false
	}
	return slices.ContainsFunc(pod.Containers, func(c corev1.Container) bool {
		return slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool {
			return m.Name == v.Name && !m.ReadOnly && !temporary(m.MountPath)
		})
	})
}

// temporary reports whether programs expect nothing in a directory to last.
func temporary(path string) bool {
	return slices.ContainsFunc([]string{"/tmp", "/var/tmp", "/run", "/var/run", "/dev/shm", "/var/cache"}, func(dir string) bool {
		return path == dir || strings.HasPrefix(path, dir+"/")
	})
}
