package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// hostsFile has the names of the sandbox, which has no DNS. Kubelets give containers a file of
// their own there, too.
const hostsFile = "/etc/hosts"

// mounts are a container's volumes.
type mounts struct {
	pod  *corev1.Pod
	spec *corev1.Container
	from source
}

// source is where the content of volumes is read.
type source interface {
	secret(ctx context.Context, name string, optional *bool) (map[string]string, error)
	configMap(ctx context.Context, name string, optional *bool) (map[string]string, error)
	field(pod *corev1.Pod, path string) (string, error)
	// token is one of the pod's service account.
	token(ctx context.Context, s *corev1.ServiceAccountTokenProjection) (string, error)
}

// check refuses mounts that a container without a root of its own cannot have.
func (m mounts) check() error {
	for _, mount := range m.spec.VolumeMounts {
		volume := m.volume(mount.Name)
		harmless := volume.EmptyDir != nil || volume.Projected != nil && strings.HasPrefix(volume.Name, "kube-api-access-")
		if !harmless {
			return fmt.Errorf("volume %q at %s: the sandbox's nodes mount no volumes other than emptyDir", volume.Name, mount.MountPath)
		}
	}
	return nil
}

// volume is one of the pod's; the API server has checked that there is one.
func (m mounts) volume(name string) *corev1.Volume {
	for i := range m.pod.Spec.Volumes {
		if m.pod.Spec.Volumes[i].Name == name {
			return &m.pod.Spec.Volumes[i]
		}
	}
	return &corev1.Volume{Name: name}
}

// furnish writes what a kubelet mounts into a container's root: names, devices and volumes. They
// stay as they are now: a Secret that changes later reaches the next container only.
func (m mounts) furnish(ctx context.Context, root string) error {
	hosts, err := os.ReadFile(hostsFile)
	if err != nil {
		return fmt.Errorf("reading the sandbox's names: %w", err)
	}
	if err := put(root, hostsFile, map[string]string{"": string(hosts)}); err != nil {
		return err
	}
	for _, dir := range []string{"proc", "dev"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil { //nolint:gosec // G301: the container's
			return fmt.Errorf("making /%s: %w", dir, err)
		}
	}
	for _, mount := range m.spec.VolumeMounts {
		volume := m.volume(mount.Name)
		files, err := m.filesOf(ctx, volume)
		if err == nil {
			err = put(root, mount.MountPath, files)
		}
		if err != nil {
			return fmt.Errorf("volume %q at %s: %w", volume.Name, mount.MountPath, err)
		}
	}
	return nil
}

// put writes files below a folder of the root; the name "" is the folder itself.
func put(root, folder string, files map[string]string) error {
	at := filepath.Join(root, filepath.Clean("/"+folder))
	if _, isFile := files[""]; !isFile {
		if err := os.MkdirAll(at, 0o755); err != nil { //nolint:gosec // G301: the container's
			return err
		}
	}
	for name, content := range files {
		to := filepath.Join(at, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil { //nolint:gosec // G301: the container's
			return err
		}
		if err := os.WriteFile(to, []byte(content), 0o644); err != nil { //nolint:gosec // G306: the container's
			return err
		}
	}
	return nil
}

// filesOf are a volume's files, by name.
func (m mounts) filesOf(ctx context.Context, v *corev1.Volume) (map[string]string, error) {
	switch {
	case v.EmptyDir != nil:
		return nil, nil
	case v.Secret != nil && len(v.Secret.Items) == 0:
		return m.from.secret(ctx, v.Secret.SecretName, v.Secret.Optional)
	case v.ConfigMap != nil && len(v.ConfigMap.Items) == 0:
		return m.from.configMap(ctx, v.ConfigMap.Name, v.ConfigMap.Optional)
	case v.Projected == nil:
		return nil, errors.New("the sandbox's nodes mount emptyDir, secret and configMap without items, and projected only")
	}
	all := map[string]string{}
	for i := range v.Projected.Sources {
		if err := m.project(ctx, &v.Projected.Sources[i], all); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// project adds the files of one source of a projected volume.
func (m mounts) project(ctx context.Context, s *corev1.VolumeProjection, to map[string]string) error {
	switch {
	case s.ServiceAccountToken != nil:
		token, err := m.from.token(ctx, s.ServiceAccountToken)
		to[s.ServiceAccountToken.Path] = token
		return err
	case s.ConfigMap != nil:
		data, err := m.from.configMap(ctx, s.ConfigMap.Name, s.ConfigMap.Optional)
		for _, item := range s.ConfigMap.Items {
			to[item.Path] = data[item.Key]
		}
		return err
	case s.DownwardAPI != nil:
		for _, item := range s.DownwardAPI.Items {
			if item.FieldRef == nil {
				return errors.New("the sandbox's nodes project fieldRef only")
			}
			value, err := m.from.field(m.pod, item.FieldRef.FieldPath)
			if err != nil {
				return err
			}
			to[item.Path] = value
		}
		return nil
	}
	return errors.New("the sandbox's nodes project serviceAccountToken, configMap and downwardAPI only")
}
