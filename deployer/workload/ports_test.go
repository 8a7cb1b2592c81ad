package workload

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func TestAPortOfAServiceLeadsWhereItsEndpointsDo(t *testing.T) {
	t.Parallel()
	always := corev1.ContainerRestartPolicyAlways
	pod := corev1.PodSpec{
		InitContainers: []corev1.Container{
			{Name: "migrate", Ports: []corev1.ContainerPort{{Name: "proxy", ContainerPort: 1}}}, // ends before the pod serves
			{
				Name: "envoy", RestartPolicy: &always,
				Ports: []corev1.ContainerPort{{Name: "proxy", ContainerPort: 15001}, {Name: "web", ContainerPort: 15002}},
			},
		},
		Containers: []corev1.Container{
			{Name: "dns", Ports: []corev1.ContainerPort{{Name: "web", ContainerPort: 53, Protocol: corev1.ProtocolUDP}}},
			{Name: "app", Ports: []corev1.ContainerPort{{Name: "metrics", ContainerPort: 9100}, {Name: "web", ContainerPort: 8000}}},
		},
	}
	tests := []struct {
		name string
		port corev1.ServicePort
		want int32
	}{
		{"by number", corev1.ServicePort{Port: 80, TargetPort: intstr.FromInt32(8080)}, 8080},
		{"not given", corev1.ServicePort{Port: 80}, 80},
		{"by name", corev1.ServicePort{Port: 80, TargetPort: intstr.FromString("web"), Protocol: corev1.ProtocolTCP}, 8000},
		{"by name, of another protocol", corev1.ServicePort{Port: 80, TargetPort: intstr.FromString("web"), Protocol: corev1.ProtocolUDP}, 53},
		{"of a sidecar among the init containers", corev1.ServicePort{Port: 80, TargetPort: intstr.FromString("proxy")}, 15001},
		{"of nobody", corev1.ServicePort{Port: 80, TargetPort: intstr.FromString("http")}, 0},
	}
	for _, test := range tests {
		if got := PodPort(test.port, pod); got != test.want {
			t.Errorf("%s: port %d, want %d", test.name, got, test.want)
		}
	}
}
