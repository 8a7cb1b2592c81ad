package gclb

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	registrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/cert"
	"k8s.io/utils/ptr"
)

// The admission webhooks, by the names they have in a GKE cluster.
const (
	podReadyWebhook      = "pod-ready.config.common-webhooks.networking.gke.io"
	negAnnotationWebhook = "neg-annotation.config.common-webhooks.networking.gke.io"
)

// defaultNEG is GKE's annotation of new Services.
const defaultNEG = `{"ingress":true}`

// The annotation that requests NEGs, and the condition that a gated pod waits for.
const (
	negAnnotation                         = "cloud.google.com/neg"
	readinessGate corev1.PodConditionType = "cloud.google.com/load-balancer-neg-ready"
)

// negUse is the request in a Service's annotation.
type negUse struct {
	// Ingress requests NEGs for the ports that Ingresses refer to.
	Ingress bool `json:"ingress"`
	// ExposedPorts get NEGs independently of references: standalone NEGs.
	ExposedPorts map[string]any `json:"exposed_ports"`
}

// asksForNEGs reports whether a Service requests NEGs; an unreadable annotation does not.
func asksForNEGs(service *corev1.Service) bool {
	var use negUse
	if json.Unmarshal([]byte(service.Annotations[negAnnotation]), &use) != nil {
		return false
	}
	return use.Ingress || len(use.ExposedPorts) > 0
}

// selects reports whether a Service selects a pod; one without a selector selects none.
func selects(service *corev1.Service, pod *corev1.Pod) bool {
	return len(service.Spec.Selector) > 0 && labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Set(pod.Labels))
}

// maxReview bounds one admission review.
const maxReview = 8 << 20

// webhooks change pods and Services when they are created.
type webhooks struct {
	config  *Config
	clients kubernetes.Interface
	asked   atomic.Bool // for a Service: the API server knows of the webhooks
}

// operation of a JSON patch.
type patchOperation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// gatePatch adds the readiness gate to a pod that a Service with NEGs selects when the pod is
// created (cloud.google.com/kubernetes-engine/docs/concepts/container-native-load-balancing, pod
// readiness). A reference from an Ingress makes no difference: a pod created before it has the
// gate, and is let through because it "does not belong to any NEG".
func gatePatch(pod *corev1.Pod, services []corev1.Service) []patchOperation {
	for _, g := range pod.Spec.ReadinessGates {
		if g.ConditionType == readinessGate {
			return nil
		}
	}
	for i := range services {
		if !asksForNEGs(&services[i]) || !selects(&services[i], pod) {
			continue
		}
		gates := append(pod.Spec.ReadinessGates, //nolint:gocritic // the pod is this request's own
			corev1.PodReadinessGate{ConditionType: readinessGate})
		return []patchOperation{{Op: "add", Path: "/spec/readinessGates", Value: gates}}
	}
	return nil
}

// annotationPatch adds the missing annotation to a Service.
func annotationPatch(service *corev1.Service) []patchOperation {
	if _, found := service.Annotations[negAnnotation]; found || service.Spec.Type == corev1.ServiceTypeExternalName {
		return nil
	}
	annotations := map[string]string{negAnnotation: defaultNEG}
	maps.Copy(annotations, service.Annotations)
	return []patchOperation{{Op: "add", Path: "/metadata/annotations", Value: annotations}}
}

// review answers one call of the API server. An unreadable object passes unchanged.
func (h *webhooks) review(ctx context.Context, request *admissionv1.AdmissionRequest) []patchOperation {
	switch request.Kind.Kind {
	case "Pod":
		var pod corev1.Pod
		if json.Unmarshal(request.Object.Raw, &pod) != nil {
			return nil
		}
		services, err := h.clients.CoreV1().Services(request.Namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			h.config.Log.ErrorContext(ctx, "list Services for a readiness gate", "namespace", request.Namespace, "error", err)
			return nil
		}
		return gatePatch(&pod, services.Items)
	case "Service":
		h.asked.Store(true)
		var service corev1.Service
		if h.config.KeepNEGAnnotation || json.Unmarshal(request.Object.Raw, &service) != nil {
			return nil
		}
		return annotationPatch(&service)
	}
	return nil
}

func (h *webhooks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var review admissionv1.AdmissionReview
	if err := json.NewDecoder(io.LimitReader(r.Body, maxReview)).Decode(&review); err != nil || review.Request == nil {
		http.Error(w, "want an AdmissionReview with a request", http.StatusBadRequest)
		return
	}
	response := &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true}
	if patch := h.review(r.Context(), review.Request); patch != nil {
		encoded, err := json.Marshal(patch)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		response.Patch, response.PatchType = encoded, ptr.To(admissionv1.PatchTypeJSONPatch)
	}
	review.Request, review.Response = nil, response
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(review); err != nil {
		h.config.Log.DebugContext(r.Context(), "answer admission review", "error", err)
	}
}

// serve answers until ctx ends.
func (h *webhooks) serve(ctx context.Context, listener net.Listener, pair tls.Certificate) error {
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12},
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.ServeTLS(listener, "", ""); ctx.Err() == nil {
		return fmt.Errorf("serving admission webhooks: %w", err)
	}
	return nil
}

// certificate creates a certificate for the listener's address; the API server gets it as its own
// authority.
func certificate(listener net.Listener) (tls.Certificate, []byte, error) {
	host, _, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return tls.Certificate{}, nil, fmt.Errorf("reading the webhooks' address: %w", err)
	}
	certPEM, keyPEM, err := cert.GenerateSelfSignedCertKey(host, []net.IP{net.ParseIP(host)}, nil)
	if err != nil {
		return tls.Certificate{}, nil, fmt.Errorf("creating the webhooks' certificate: %w", err)
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return tls.Certificate{}, nil, fmt.Errorf("reading back the webhooks' certificate: %w", err)
	}
	return pair, certPEM, nil
}

// register registers the webhooks with the API server, the one for Services last. If they do not
// answer, new objects pass unchanged: a load balancer that is down blocks no pod.
func (h *webhooks) register(ctx context.Context, address string, authority []byte) error {
	for _, hook := range []struct{ name, resource string }{{podReadyWebhook, "pods"}, {negAnnotationWebhook, "services"}} {
		if err := h.put(ctx, newWebhook(hook.name, hook.resource, "https://"+address+"/", authority)); err != nil {
			return fmt.Errorf("registering the webhook %s: %w", hook.name, err)
		}
	}
	return nil
}

func newWebhook(name, resource, url string, authority []byte) *registrationv1.MutatingWebhookConfiguration {
	return &registrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Webhooks: []registrationv1.MutatingWebhook{{
			Name:         name,
			ClientConfig: registrationv1.WebhookClientConfig{URL: &url, CABundle: authority},
			Rules: []registrationv1.RuleWithOperations{{
				Operations: []registrationv1.OperationType{registrationv1.Create},
				Rule: registrationv1.Rule{
					APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{resource},
					Scope: ptr.To(registrationv1.NamespacedScope),
				},
			}},
			FailurePolicy:           ptr.To(registrationv1.Ignore),
			SideEffects:             ptr.To(registrationv1.SideEffectClassNone),
			TimeoutSeconds:          ptr.To[int32](10),
			AdmissionReviewVersions: []string{"v1"},
		}},
	}
}

func (h *webhooks) put(ctx context.Context, wanted *registrationv1.MutatingWebhookConfiguration) error {
	configurations := h.clients.AdmissionregistrationV1().MutatingWebhookConfigurations()
	have, err := configurations.Get(ctx, wanted.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		_, err = configurations.Create(ctx, wanted, metav1.CreateOptions{})
		return err
	}
	if err != nil {
		return err
	}
	wanted.ResourceVersion = have.ResourceVersion
	_, err = configurations.Update(ctx, wanted, metav1.UpdateOptions{})
	return err
}

// unregister removes the webhooks again.
func (h *webhooks) unregister(ctx context.Context) {
	for _, name := range []string{podReadyWebhook, negAnnotationWebhook} {
		err := h.clients.AdmissionregistrationV1().MutatingWebhookConfigurations().Delete(ctx, name, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			h.config.Log.ErrorContext(ctx, "unregister webhook", "name", name, "error", err)
		}
	}
}
