package scale

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
	ctrlcache "sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// observer plays the kubelet, and records when each application's last pod became Ready and when
// its users moved.
type observer struct {
	kube client.Client
	work chan *corev1.Pod

	mu       sync.Mutex
	next     int
	created  map[client.ObjectKey]int       // pods, by what the label app names
	ready    map[client.ObjectKey]time.Time // by what the label app names: the last status written
	backend  map[client.ObjectKey]string    // by application
	switched map[client.ObjectKey]time.Time // by application
}

// observe starts playing; it ends with ctx.
func (r *run) observe(ctx context.Context) error {
	o := &observer{
		kube: r.kube, work: make(chan *corev1.Pod, 1<<16), created: map[client.ObjectKey]int{}, ready: map[client.ObjectKey]time.Time{},
		backend: map[client.ObjectKey]string{}, switched: map[client.ObjectKey]time.Time{},
	}
	r.seen = o
	informers, err := ctrlcache.New(r.World.ControlPlane.Config, ctrlcache.Options{Scheme: r.kube.Scheme()})
	if err != nil {
		return fmt.Errorf("watching pods and ingresses: %w", err)
	}
	for object, handle := range map[client.Object]cache.ResourceEventHandlerFuncs{
		&corev1.Pod{}:           {AddFunc: o.pod},
		&corev1.Service{}:       {AddFunc: o.service, UpdateFunc: func(_, now any) { o.service(now) }},
		&networkingv1.Ingress{}: {AddFunc: o.ingress, UpdateFunc: func(_, now any) { o.ingress(now) }},
	} {
		informer, err := informers.GetInformer(ctx, object, ctrlcache.BlockUntilSynced(false))
		if err != nil {
			return fmt.Errorf("watching %T: %w", object, err)
		}
		if _, err := informer.AddEventHandler(handle); err != nil {
			return fmt.Errorf("watching %T: %w", object, err)
		}
	}
	for range writers {
		go o.start(ctx)
	}
	go func() { _ = informers.Start(ctx) }()
	if !informers.WaitForCacheSync(ctx) {
		return errors.New("the watches of pods and ingresses did not begin")
	}
	return nil
}

func (o *observer) pod(object any) {
	pod, ok := object.(*corev1.Pod)
	if !ok || pod.Status.Phase != corev1.PodPending {
		return
	}
	key := client.ObjectKey{Namespace: pod.Namespace, Name: pod.Labels["app"]}
	o.mu.Lock()
	nth := o.created[key] % podsEach
	o.created[key]++
	o.mu.Unlock()
	if nth == 0 {
		o.work <- pod
		return
	}
	time.AfterFunc(time.Duration(nth)*apart, func() { o.work <- pod })
}

// apart is the time from one pod of an application to the next. Two kubelets hardly ever report within a
// few milliseconds, and if they do, Kubernetes writes the EndpointSlice up to a second late, for which
// the switch has to wait: its cache lacks its own last write then.
const apart = 250 * time.Millisecond

// start writes pods' only status.
func (o *observer) start(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case created := <-o.work:
			pod := o.running(created)
			err := o.kube.Status().Patch(ctx, pod, client.MergeFrom(created))
			o.mu.Lock()
			if err == nil {
				o.ready[client.ObjectKey{Namespace: pod.Namespace, Name: pod.Labels["app"]}] = time.Now()
			}
			o.mu.Unlock()
		}
	}
}

func (o *observer) running(pod *corev1.Pod) *corev1.Pod {
	o.mu.Lock()
	o.next++
	ip := fmt.Sprintf("10.%d.%d.%d", 64+o.next>>16, o.next>>8&255, o.next&255)
	o.mu.Unlock()
	pod = pod.DeepCopy()
	image, started, now := pod.Spec.Containers[0].Image, true, metav1.Now()
	id := image
	if !strings.Contains(id, "@") {
		id = "gcr.io/acme-prod/my-python-app@sha256:" + strings.Repeat("0", 64)
	}
	pod.Status.Phase, pod.Status.PodIP, pod.Status.PodIPs = corev1.PodRunning, ip, []corev1.PodIP{{IP: ip}}
	for _, kind := range []corev1.PodConditionType{corev1.PodScheduled, corev1.PodInitialized, corev1.ContainersReady, corev1.PodReady} {
		is := corev1.PodCondition{Type: kind, Status: corev1.ConditionTrue, LastTransitionTime: now}
		pod.Status.Conditions = append(pod.Status.Conditions, is)
	}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: "app", Image: image, ImageID: id, Ready: true, Started: &started,
		State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}},
	}}
	return pod
}

func (o *observer) ingress(object any) {
	i, ok := object.(*networkingv1.Ingress)
	if !ok {
		return
	}
	key, now := client.ObjectKeyFromObject(i), i.Spec.Rules[0].HTTP.Paths[0].Backend.Service.Name
	o.moved(client.ObjectKey{Namespace: key.Namespace, Name: strings.TrimSuffix(key.Name, "-ingress")}, now)
}

// service sees where a peer's users are: the Services of Turnout's colours have other names.
func (o *observer) service(object any) {
	s, ok := object.(*corev1.Service)
	if !ok || s.Spec.Selector["app"] != s.Name || len(s.Spec.Selector) == 1 { // not yet the controller's
		return
	}
	o.moved(client.ObjectKeyFromObject(s), fmt.Sprint(s.Spec.Selector))
}

// count is how many applications have users.
func (o *observer) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.backend)
}

// moved records where an application's users are.
func (o *observer) moved(key client.ObjectKey, to string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if before, known := o.backend[key]; known && before != to {
		o.switched[key] = time.Now()
	}
	o.backend[key] = to
}

// forget begins a new measurement of an application.
func (o *observer) forget(a app) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.switched, a.ObjectKey)
	delete(o.ready, a.ObjectKey)
}

// at is when an application was ready, and switched; zero before.
func (o *observer) at(a app) (ready, switched time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ready[a.ObjectKey], o.switched[a.ObjectKey]
}
