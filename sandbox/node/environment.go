package node

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubernetes/pkg/fieldpath"
	"k8s.io/kubernetes/third_party/forked/golang/expansion"

	"github.com/turnout-dev/turnout/sandbox/netns"
)

// environment resolves what the container's process sees: the image's variables,
// then envFrom, then env, later ones winning. An error is what a kubelet
// reports as CreateContainerConfigError.
func (c *container) environment(ctx context.Context) ([]string, error) {
	pod := c.worker.current()
	values := map[string]string{"HOSTNAME": pod.Name, "HOME": "/root"}
	for _, pair := range c.image.Config.Env {
		name, value, _ := strings.Cut(pair, "=")
		values[name] = value
	}
	if c.image.OwnRoot {
		if err := c.addService(values); err != nil {
			return nil, err
		}
	}
	declared := map[string]string{}
	for _, from := range c.spec.EnvFrom {
		if err := c.addAll(ctx, declared, from); err != nil {
			return nil, err
		}
	}
	for _, variable := range c.spec.Env {
		value := expansion.Expand(variable.Value, expansion.MappingFuncFor(declared, values))
		found := true
		var err error
		if variable.ValueFrom != nil {
			if value, found, err = c.valueFrom(ctx, pod, variable.ValueFrom); err != nil {
				return nil, err
			}
		}
		if found {
			declared[variable.Name] = value
		}
	}
	maps.Copy(values, declared)
	values["PATH"] = c.worker.agent.Registry.Bin() + ":" + values["PATH"]
	env := make([]string, 0, len(values))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		env = append(env, name+"="+values[name])
	}
	return env, nil
}

// addService adds where the API server is. There is no kube-proxy, so it is the server's own
// address.
func (c *container) addService(to map[string]string) error {
	server, err := url.Parse(c.worker.agent.Rest.Host)
	if err != nil {
		return fmt.Errorf("reading the API server's address: %w", err)
	}
	to["KUBERNETES_SERVICE_HOST"], to["KUBERNETES_SERVICE_PORT"] = server.Hostname(), server.Port()
	return nil
}

// addAll adds every key of a ConfigMap or Secret.
func (c *container) addAll(ctx context.Context, to map[string]string, from corev1.EnvFromSource) error {
	var data map[string]string
	var err error
	switch {
	case from.ConfigMapRef != nil:
		data, err = c.configMap(ctx, from.ConfigMapRef.Name, from.ConfigMapRef.Optional)
	case from.SecretRef != nil:
		data, err = c.secret(ctx, from.SecretRef.Name, from.SecretRef.Optional)
	}
	for key, value := range data {
		to[from.Prefix+key] = value
	}
	return err
}

// valueFrom resolves one reference; found is false for an optional one that
// leads nowhere.
func (c *container) valueFrom(ctx context.Context, pod *corev1.Pod, s *corev1.EnvVarSource) (value string, found bool, err error) {
	switch {
	case s.FieldRef != nil:
		value, err = c.field(pod, s.FieldRef.FieldPath)
		return value, true, err
	case s.ConfigMapKeyRef != nil:
		ref := s.ConfigMapKeyRef
		data, err := c.configMap(ctx, ref.Name, ref.Optional)
		return pick(data, err, ref.Key, ref.Optional, "ConfigMap", c.worker.namespace+"/"+ref.Name)
	case s.SecretKeyRef != nil:
		ref := s.SecretKeyRef
		data, err := c.secret(ctx, ref.Name, ref.Optional)
		return pick(data, err, ref.Key, ref.Optional, "Secret", c.worker.namespace+"/"+ref.Name)
	}
	return "", false, fmt.Errorf("the sandbox's nodes resolve fieldRef, configMapKeyRef and secretKeyRef only")
}

func pick(data map[string]string, err error, key string, optional *bool, kind, name string) (string, bool, error) {
	if err != nil {
		return "", false, err
	}
	value, ok := data[key]
	if !ok && (optional == nil || !*optional) {
		return "", false, fmt.Errorf("couldn't find key %s in %s %s", key, kind, name)
	}
	return value, ok, nil
}

// field resolves a fieldRef.
func (c *container) field(pod *corev1.Pod, path string) (string, error) {
	switch path {
	case "spec.nodeName":
		return pod.Spec.NodeName, nil
	case "spec.serviceAccountName":
		return pod.Spec.ServiceAccountName, nil
	case "status.hostIP", "status.hostIPs":
		return netns.HostAddress, nil
	case "status.podIP", "status.podIPs":
		c.worker.mu.Lock()
		defer c.worker.mu.Unlock()
		return c.worker.network.IP.String(), nil
	}
	return fieldpath.ExtractFieldPathAsString(pod, path)
}

func (c *container) configMap(ctx context.Context, name string, optional *bool) (map[string]string, error) {
	object, err := c.worker.agent.clients.CoreV1().ConfigMaps(c.worker.namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, missing(err, optional)
	}
	return object.Data, nil
}

func (c *container) secret(ctx context.Context, name string, optional *bool) (map[string]string, error) {
	object, err := c.worker.agent.clients.CoreV1().Secrets(c.worker.namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, missing(err, optional)
	}
	data := map[string]string{}
	for key, value := range object.Data {
		data[key] = string(value)
	}
	return data, nil
}

func missing(err error, optional *bool) error {
	if apierrors.IsNotFound(err) && optional != nil && *optional {
		return nil
	}
	return err
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
