package gclb

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func probe(path string, headers ...corev1.HTTPHeader) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler:   corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.FromString("http"), HTTPHeaders: headers}},
		PeriodSeconds:  3,
		TimeoutSeconds: 2,
	}
}

func TestHealthCheckIsMadeOfTheProbeOnceAndOfTheBackendConfigAlways(t *testing.T) {
	defaults := healthCheck{path: "/", interval: 15 * time.Second, timeout: 15 * time.Second, healthy: 1, unhealthy: 2}
	probed := healthCheck{path: "/healthz", host: "shop", interval: 3 * time.Second, timeout: 2 * time.Second, healthy: 1, unhealthy: 2}
	config := &backendConfig{HealthCheck: &healthCheckConfig{
		RequestPath: new("/live"), CheckIntervalSec: new(int64(5)), UnhealthyThreshold: new(int64(3)), Port: new(int64(9000)),
	}}
	readiness := probe("healthz", corev1.HTTPHeader{Name: "Host", Value: "shop"})
	for _, c := range []struct {
		name     string
		existing *healthCheck
		probe    *corev1.Probe
		config   *backendConfig
		want     healthCheck
	}{
		{"nothing known", nil, nil, nil, defaults},
		{"created with a probe", nil, readiness, nil, probed},
		{"the probe came later", &defaults, readiness, nil, defaults},
		{"the probe changed", &probed, probe("/other"), nil, probed},
		{"a BackendConfig without a health check", &probed, nil, &backendConfig{}, probed},
		{"created with a BackendConfig", nil, readiness, config, healthCheck{"/live", "shop", 9000, 5 * time.Second, 2 * time.Second, 1, 3}},
		{"the BackendConfig came later", &defaults, readiness, config, healthCheck{"/live", "", 9000, 5 * time.Second, 15 * time.Second, 1, 3}},
	} {
		if diff := cmp.Diff(c.want, wantedHealthCheck(c.existing, c.probe, c.config), allow); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestProbeIsThatOfTheOldestPodThatServesThePort(t *testing.T) {
	pod := func(age int, label string, p *corev1.Probe) *corev1.Pod {
		return &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: "shop", Name: fmt.Sprint("pod-", age), Labels: map[string]string{"color": label},
				CreationTimestamp: metav1.NewTime(time.Unix(int64(1000-age), 0)),
			},
			Spec: corev1.PodSpec{Containers: []corev1.Container{{ReadinessProbe: p, Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}}}}},
		}
	}
	elsewhere := probe("/elsewhere")
	elsewhere.HTTPGet.Port = intstr.FromInt32(9090)
	byNumber := probe("/number")
	byNumber.HTTPGet.Port = intstr.FromInt32(8080)
	port := &servicePort{namespace: "shop", selector: map[string]string{"color": "blue"}, port: corev1.ServicePort{TargetPort: intstr.FromString("http")}}
	for _, c := range []struct {
		name string
		pods []*corev1.Pod
		want string
	}{
		{"the oldest", []*corev1.Pod{pod(1, "blue", probe("/new")), pod(9, "blue", probe("/old"))}, "/old"},
		{"others are passed over", []*corev1.Pod{
			pod(9, "green", probe("/green")), pod(8, "blue", nil), pod(7, "blue", elsewhere),
			pod(6, "blue", probe("/header", corev1.HTTPHeader{Name: "Authorization", Value: "x"})), pod(5, "blue", probe("/fits")),
		}, "/fits"},
		{"none", nil, ""},
	} {
		got := ""
		if p := servingProbe(port, c.pods); p != nil {
			got = p.HTTPGet.Path
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	numbered := &servicePort{namespace: "shop", selector: port.selector, port: corev1.ServicePort{TargetPort: intstr.FromInt32(8080)}}
	if p := servingProbe(numbered, []*corev1.Pod{pod(1, "blue", byNumber)}); p == nil {
		t.Error("a port by number was not found")
	}
}

func TestStateChangesAfterSoManyAnswersInARow(t *testing.T) {
	check := healthCheck{healthy: 2, unhealthy: 3}
	v, states := verdict{state: unhealthy}, ""
	for _, ok := range []bool{true, false, true, true, false, false, true, false, false, false} {
		v = v.judge(ok, check)
		states += v.state[:1]
	}
	if states != "UUUHHHHHHU" {
		t.Errorf("the states are %s", states)
	}
}
