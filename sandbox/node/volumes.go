package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// hostsFile has the names of the sandbox, which has no DNS. Kubelets give containers a file of
// their own there, too.
const hostsFile = "/etc/hosts"

// checkVolumes refuses mounts that a container without a root of its own cannot have.
func (c *container) checkVolumes() error {
	for _, mount := range c.spec.VolumeMounts {
		volume := c.volume(mount.Name)
		harmless := volume.EmptyDir != nil || volume.Projected != nil && strings.HasPrefix(volume.Name, "kube-api-access-")
		if !harmless {
			return fmt.Errorf("volume %q at %s: the sandbox's nodes mount no volumes other than emptyDir", volume.Name, mount.MountPath)
		}
	}
	return nil
}

// volume is one of the pod's; the API server has checked that there is one.
func (c *container) volume(name string) *corev1.Volume {
	pod := c.worker.current()
	for i := range pod.Spec.Volumes {
		if pod.Spec.Volumes[i].Name == name {
			return &pod.Spec.Volumes[i]
		}
	}
	return &corev1.Volume{Name: name}
}

// furnish writes what a kubelet mounts into a container's root: names, devices and volumes. They
// stay as they are now: a Secret that changes later reaches the next container only.
func (c *container) furnish(ctx context.Context, root string) error {
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
	for _, mount := range c.spec.VolumeMounts {
		volume := c.volume(mount.Name)
		files, err := c.filesOf(ctx, volume)
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
func (c *container) filesOf(ctx context.Context, v *corev1.Volume) (map[string]string, error) {
	switch {
	case v.EmptyDir != nil:
		return nil, nil
	case v.Secret != nil && len(v.Secret.Items) == 0:
		return c.secret(ctx, v.Secret.SecretName, v.Secret.Optional)
	case v.ConfigMap != nil && len(v.ConfigMap.Items) == 0:
		return c.configMap(ctx, v.ConfigMap.Name, v.ConfigMap.Optional)
	case v.Projected == nil:
		return nil, errors.New("the sandbox's nodes mount emptyDir, secret and configMap without items, and projected only")
	}
	all := map[string]string{}
	for i := range v.Projected.Sources {
		if err := c.project(ctx, &v.Projected.Sources[i], all); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// project adds the files of one source of a projected volume.
func (c *container) project(ctx context.Context, s *corev1.VolumeProjection, to map[string]string) error {
	switch {
	case s.ServiceAccountToken != nil:
		token, err := c.token(ctx, s.ServiceAccountToken)
		to[s.ServiceAccountToken.Path] = token
		return err
	case s.ConfigMap != nil:
		data, err := c.configMap(ctx, s.ConfigMap.Name, s.ConfigMap.Optional)
		for _, item := range s.ConfigMap.Items {
			to[item.Path] = data[item.Key]
		}
		return err
	case s.DownwardAPI != nil:
		for _, item := range s.DownwardAPI.Items {
			if item.FieldRef == nil {
				return errors.New("the sandbox's nodes project fieldRef only")
			}
			value, err := c.field(c.worker.current(), item.FieldRef.FieldPath)
			if err != nil {
				return err
			}
			to[item.Path] = value
		}
		return nil
	}
	return errors.New("the sandbox's nodes project serviceAccountToken, configMap and downwardAPI only")
}

// token is one of the pod's service account, bound to the pod. Nobody renews it.
func (c *container) token(ctx context.Context, s *corev1.ServiceAccountTokenProjection) (string, error) {
	pod := c.worker.current()
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		ExpirationSeconds: s.ExpirationSeconds,
		BoundObjectRef:    &authenticationv1.BoundObjectReference{Kind: "Pod", APIVersion: "v1", Name: pod.Name, UID: pod.UID},
	}}
	if s.Audience != "" {
		request.Spec.Audiences = []string{s.Audience}
	}
	if request.Spec.ExpirationSeconds == nil {
		request.Spec.ExpirationSeconds = new(int64(3600))
	}
	made, err := c.worker.agent.clients.CoreV1().ServiceAccounts(pod.Namespace).CreateToken(ctx, pod.Spec.ServiceAccountName, request,
		metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("requesting a token of serviceaccount %s: %w", pod.Spec.ServiceAccountName, err)
	}
	return made.Status.Token, nil
}
