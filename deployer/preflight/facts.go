package preflight

import (
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/route"
	"github.com/turnout-dev/turnout/deployer/track"
)

// Facts are the input of [Check], as plain data.
type Facts struct {
	// App to judge.
	App *v1alpha1.BlueGreen
	// Routes of its Ingress. One colour is live.
	Routes track.Routes
	// Ingress is what else is known about its Ingress.
	Ingress Ingress
	// Gateways is what else is known about an HTTPRoute's Gateways.
	Gateways Gateways
	// Services of the namespace that the Ingress names, and the colours' own, by name. Services
	// that do not exist are missing.
	Services map[string]*corev1.Service
	// Configs are the BackendConfigs that these Services name, by name. Those that could not be
	// read are missing.
	Configs map[string]Config
	// Claims are the PersistentVolumeClaims of the templates that will have users, by name.
	Claims map[string]Claim
	// Templates of the colours' pods, if there is a Deployment.
	Templates map[v1alpha1.Color]Template
	// Workers are both sides of each of the application's workers.
	Workers []Worker
	// Singletons of the application.
	Singletons []Singleton
	// CronJobs of the application.
	CronJobs []CronJob
	// Users of the colours' Services through other Ingresses.
	Users []User
	// Beside is what belongs to the live version without being part of the application.
	Beside Beside
	// Resolved are the addresses of the standby host that the owner chose; empty if there
	// are none, or none are known.
	Resolved []string
}

// Ingress is what is known about an application's Ingress apart from its routes.
type Ingress struct {
	// Class is its annotation kubernetes.io/ingress.class, ClassName its
	// spec.ingressClassName; "" if not set.
	Class, ClassName string
	// Managers are its managedFields: who wrote which fields of it.
	Managers []metav1.ManagedFieldsEntry
}

// Gateways is what is known about an application's Gateways beside its route.
type Gateways struct {
	// Classes are the gatewayClassNames of the parents that could be read, by the
	// parent's text.
	Classes map[string]string
	// Unread are the parents that could not be read, by their text: their classes are not known.
	Unread []string
	// Health and Backend are the specs of a colour's HealthCheckPolicy and GCPBackendPolicy,
	// without their target; missing if there is none.
	Health, Backend map[v1alpha1.Color]map[string]any
	// Others are the other routes that send users to a colour's Service.
	Others map[v1alpha1.Color][]route.Follower
	// Unseen are the kinds of such routes that may be listed in the application's namespace only.
	Unseen []string
}

// Config is a BackendConfig.
type Config struct {
	// Exists is false if there is none of that name.
	Exists bool
	// Spec as it is in the object.
	Spec map[string]any
}

// Claim is a PersistentVolumeClaim.
type Claim struct {
	// Exists is false if there is none of that name, or Turnout may not read it.
	Exists bool
	// Modes are its spec.accessModes: what pods may rely on, whatever its volume could do.
	Modes []corev1.PersistentVolumeAccessMode
}

// Template is a pod template.
type Template struct {
	// Deployment it belongs to.
	Deployment string
	// Spec of its pods.
	Spec corev1.PodSpec
}

// Worker is what is known about one side of a worker.
type Worker struct {
	// Name of the worker, and the side.
	Name  string
	Color v1alpha1.Color
	// Deployment of the side; Exists is false if there is none of that name.
	Deployment string
	Exists     bool
	// Replicas of it, Labels of its pods, and the names of their Containers.
	Replicas   int32
	Labels     map[string]string
	Containers []string
	// Colored: its selector names the colour, so the other side's can be made from it.
	Colored bool
	// Others are other applications of the namespace that name the Deployment, too.
	Others []string
}

// Singleton is what is known about a singleton.
type Singleton struct {
	// Deployment of it; Exists is false if there is none of that name.
	Deployment string
	Exists     bool
	// Strategy of it, and the names of its Containers.
	Strategy   string
	Containers []string
	// Others are other applications of the namespace that name the Deployment, too.
	Others []string
}

// CronJob is what is known about a CronJob.
type CronJob struct {
	// Name of it; Exists is false if there is none.
	Name   string
	Exists bool
	// Unread: Turnout may not read it.
	Unread bool
	// Containers are the names of those of its pods.
	Containers []string
	// Others are other applications of the namespace that name it, too.
	Others []string
}

// Beside is what belongs to an application's version, and is no part of the application.
type Beside struct {
	// Changed are the ConfigMaps that the live pods read, and that are not what they were when the
	// release Staged staged them.
	Changed []string
	Staged  string
	// Unlisted is what runs the live image's repository and is named by no application.
	Unlisted []Unlisted
}

// Unlisted is an object that starts pods of an image.
type Unlisted struct {
	// Object, such as "cronjob report".
	Object string
	// Field of the Image.
	Field, Image string
}

// User is a place of another Ingress that sends users to one of the colours.
type User struct {
	// Ingress, and which of its routes, such as "preview.example.com/".
	Ingress, Route string
	// Color that the users are sent to.
	Color v1alpha1.Color
}

func (f Facts) gce() bool { return f.Routes.LoadBalancer == v1alpha1.LoadBalancerGCE }

func (f Facts) live() v1alpha1.Color { return f.Routes.Live() }

// service of a colour; nil if it does not exist.
func (f Facts) service(c v1alpha1.Color) *corev1.Service { return f.Services[f.App.Side(c).Service] }

// ports are the ports that users are routed to, each once, as the Ingress names them.
func (f Facts) ports() []map[string]any {
	var all []map[string]any
	for _, b := range f.Routes.Users[f.live()] {
		if !slices.ContainsFunc(all, func(p map[string]any) bool { return maps.Equal(p, b.Port) }) {
			all = append(all, b.Port)
		}
	}
	return all
}

// configOf returns the BackendConfig that a colour's Service names for a port; name is "" if it
// names none. known is false if that cannot be seen.
func (f Facts) configOf(c v1alpha1.Color, port map[string]any) (name string, config Config, known bool) {
	service := f.service(c)
	if service == nil {
		return "", Config{}, false
	}
	p := route.FindPort(service, port)
	if p == nil {
		return "", Config{}, false
	}
	name, _, err := route.ConfigName(service, p)
	if err != nil {
		return "", Config{}, false
	}
	if name == "" {
		return "", Config{}, true
	}
	config, known = f.Configs[name]
	return name, config, known && config.Exists
}

// seconds reads a number of seconds in a BackendConfig; ok is false if it is unset.
func (c Config) seconds(path ...string) (time.Duration, bool) {
	v := c.Spec
	for _, name := range path[:len(path)-1] {
		v, _ = v[name].(map[string]any)
	}
	n, ok := v[path[len(path)-1]].(int64)
	return time.Duration(n) * time.Second, ok
}

// negAnnotation makes a load balancer send directly to a Service's pods.
const negAnnotation = "cloud.google.com/neg"
