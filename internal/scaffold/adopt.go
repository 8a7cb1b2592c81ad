package scaffold

import (
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/workload"
	"github.com/turnout-dev/turnout/internal/prose"
)

// writeAdopted writes what lacks beside what runs.
func writeAdopted(m *maker) error {
	r := m.r
	describeRunning(m)
	live, err := colored(m)
	if err != nil {
		return err
	}
	blue := r.deployment
	if !r.labelled {
		if blue, err = writeCopy(m, live); err != nil {
			return err
		}
	}
	nameSides(m, blue.Name)
	service, narrowed, err := writeServices(m, live)
	if err != nil {
		return err
	}
	if err := writeOther(m, blue, live); err != nil {
		return err
	}
	if err := writeAutoscalers(m, blue.Name); err != nil {
		return err
	}
	if err := writeRoutes(m); err != nil {
		return err
	}
	if err := writeBalancing(m, service); err != nil {
		return err
	}
	noteNeighbours(m, blue.Name)
	return addSteps(m, blue.Name, narrowed)
}

func describeRunning(m *maker) {
	r := m.r
	way := "deployment " + r.deployment.Name
	if r.service != nil {
		way = "service " + r.service.Name + ", " + way
	}
	if r.ingress != nil {
		way = "ingress " + r.ingress.Name + ", " + way
	}
	if r.route != nil {
		way = "httproute " + r.route.Name + ", " + way
	}
	m.found("users reach %s in namespace %s, which becomes %s (label %s)", way, m.o.Namespace, r.color, r.label)
}

// colored is the Deployment as it would be with the colour's label, without what only this object has.
func colored(m *maker) (object, error) {
	o, err := untyped(m.r.deployment.DeepCopy(), "apps/v1", "Deployment")
	if err != nil {
		return nil, err
	}
	tidy(o)
	color := string(m.r.color)
	workload.Ensure(o, "spec", "template", "metadata", "labels")[m.r.label] = color
	workload.Ensure(o, "spec", "selector", "matchLabels")[m.r.label] = color
	return o, nil
}

// writeCopy writes a Deployment like the running one whose pods have the colour, and returns it.
// The running one stays as it is.
func writeCopy(m *maker, live object) (*appsv1.Deployment, error) {
	name := base(m.r.deployment.Name) + "-" + string(m.r.color)
	if m.n.deployment(name) != nil || name == m.r.deployment.Name {
		return nil, fmt.Errorf("--deployment: a copy of deployment %s with the label %s: %s would be called %s, and there is one: name it, "+
			"if it is the copy", m.r.deployment.Name, m.r.label, m.r.color, name)
	}
	// Made twice, each time of the other colour: it then has what a counterpart has, and no more.
	there, err := workload.Counterpart(&unstructured.Unstructured{Object: live}, m.r.label, m.r.color, name)
	if err != nil {
		return nil, err
	}
	back, err := workload.Counterpart(there, m.r.label, m.r.color.Other(), name)
	if err != nil {
		return nil, err
	}
	size := int64(1)
	if n := m.r.deployment.Spec.Replicas; n != nil {
		size = int64(*n)
	}
	workload.Ensure(back.Object, "spec")["replicas"] = size
	say := comments{
		"": onlyOnce + "\nA copy of deployment " + m.r.deployment.Name +
			", whose selector cannot be changed. It has the same values of environment " +
			"variables,\nin plain text: look before you commit it.",
		"spec/replicas":             "As many as " + m.r.deployment.Name + " has, so that they alone can serve all users.",
		"spec/selector/matchLabels": "With the colour, so that the two colours never count each other's pods.",
	}
	finishWell(m, back.Object, say)
	onlyPresent(say, back.Object)
	if err := m.add("once/deployment-"+name+".yaml", m.placed(back.Object), say); err != nil {
		return nil, err
	}
	d := m.r.deployment.DeepCopy()
	d.Name = name
	d.Spec.Template.Labels[m.r.label] = string(m.r.color)
	return d, nil
}

// onlyPresent drops comments about fields that an object does not have.
func onlyPresent(say comments, o object) {
	for path := range say {
		var at any = o
		for field := range strings.SplitSeq(path, "/") {
			if m, ok := at.(object); ok && path != "" {
				at = m[field]
			}
		}
		if at == nil {
			delete(say, path)
		}
	}
}

// finishWell lets the pods of a copy outlive the time in which Google's load balancer still
// sends to them. Who is behind a Gateway is not known, so its pods do, too.
func finishWell(m *maker, copied object, say comments) {
	if !m.gce && m.r.route == nil {
		return
	}
	pod := workload.Ensure(copied, "spec", "template", "spec")
	containers, _ := pod["containers"].([]any)
	i := slices.IndexFunc(containers, func(c any) bool { o, _ := c.(object); return o["name"] == m.r.container.Name })
	if i < 0 {
		return
	}
	container, _ := containers[i].(object)
	if lifecycle := workload.Ensure(container, "lifecycle"); lifecycle["preStop"] == nil {
		lifecycle["preStop"] = object{"sleep": object{"seconds": int64(stopSeconds)}}
		pod["terminationGracePeriodSeconds"] = max(graceOf(pod), graceSeconds)
		say["spec/template/spec/terminationGracePeriodSeconds"] = "Added: preStop, 60 s of connection draining, and 15 to spare."
		m.lookAt("Added to the copy of deployment %s: a preStop of %s, since Google's load balancer goes on sending until it has detached a "+
			"pod.",
			m.r.deployment.Name, prose.Span(stopSeconds*time.Second))
	}
}

func graceOf(pod object) int64 {
	seconds, _ := pod["terminationGracePeriodSeconds"].(int64)
	return seconds
}

// nameSides names the objects of both colours in the BlueGreen, where their names are not the defaults.
func nameSides(m *maker, deployment string) {
	service := m.o.Name + "-" + string(m.r.color) + "-svc"
	if m.r.service != nil {
		service = m.r.service.Name
	}
	named := map[v1alpha1.Color]v1alpha1.Side{
		m.r.color:         {Deployment: deployment, Service: service},
		m.r.color.Other(): {Deployment: m.otherName(deployment), Service: m.otherName(service)},
	}
	for c, side := range named {
		o := object{}
		if usual := m.o.Name + "-" + string(c); side.Deployment != usual {
			o["deployment"] = side.Deployment
		}
		if usual := m.o.Name + "-" + string(c) + "-svc"; side.Service != usual {
			o["service"] = side.Service
		}
		if len(o) > 0 {
			m.bg[string(c)] = o
		}
	}
	if m.r.label != defaultLabel {
		m.bg["colorLabel"] = m.r.label
		m.lookAt("Deployment %s or its Service uses the label version for something else, so the colours have the label %s.",
			m.r.deployment.Name,
			m.r.label)
	}
}

// writeServices writes the Services that lack, and the change of the one that has users. It returns
// the live one, and whether its selector is to be narrowed.
func writeServices(m *maker, live object) (service *corev1.Service, narrowed bool, err error) {
	if m.r.service == nil {
		if service, err = writeLiveService(m, live); err != nil {
			return nil, false, err
		}
	} else {
		service = m.r.service.DeepCopy()
	}
	if service.Spec.Selector[m.r.label] != string(m.r.color) {
		narrowed = true
		m.lookAt("If something else writes service %s (kubectl apply, Helm, Argo CD), add the label %s to the selector there, too: "+
			"otherwise the label is removed again.",
			service.Name, m.r.label)
		service.Spec.Selector[m.r.label] = string(m.r.color)
		change := object{"spec": object{"selector": object{m.r.label: string(m.r.color)}}}
		if err := m.add("changes/service-"+service.Name+".yaml", change, comments{
			"": "Makes the Service select the pods of one colour. Apply it only when enough ready pods have this label:\n" +
				"before that it would select none, and users would get errors.",
		}); err != nil {
			return nil, false, err
		}
	}
	other := m.otherName(service.Name)
	if m.n.service(other) != nil {
		m.found("service %s: there already", other)
		return service, narrowed, nil
	}
	o, err := untyped(service, "v1", "Service")
	if err != nil {
		return nil, false, err
	}
	made, err := workload.Counterpart(&unstructured.Unstructured{Object: o}, m.r.label, m.r.color, other)
	if err != nil {
		return nil, false, err
	}
	tidy(made.Object)
	if len(workload.Ensure(made.Object, "metadata", "labels")) == 0 {
		delete(workload.Ensure(made.Object, "metadata"), "labels")
	}
	nameConfig(m, made.Object, service)
	return service, narrowed, m.add("service-"+other+".yaml", m.placed(made.Object), comments{
		"": "The Service of the colour without users: like " + service.Name + ", in ports and annotations, too. A switch changes only the\n" +
			"name of the Service in the Ingress.",
	})
}

// writeLiveService writes a Service for a Deployment that has none.
func writeLiveService(m *maker, live object) (*corev1.Service, error) {
	ports := m.r.container.Ports
	if len(ports) == 0 && m.s.Port == 0 {
		return nil, fmt.Errorf("deployment %s has no Service, and container %s names no port: set its ports, or create the Service",
			m.r.deployment.Name, m.r.container.Name)
	}
	target := any(m.port())
	if len(ports) > 0 {
		target = int(ports[0].ContainerPort)
	}
	labels, _ := workload.Ensure(live, "spec", "selector")["matchLabels"].(object)
	name := m.o.Name + "-" + string(m.r.color) + "-svc"
	annotations := object{groupsKey: `{"ingress": true}`, configKey: configValue(m)}
	service := object{
		"apiVersion": "v1", "kind": "Service", "metadata": object{"name": name, "namespace": m.o.Namespace, "annotations": annotations},
		"spec": object{"selector": labels, "ports": []any{object{"name": "http", "port": 80, "targetPort": target}}},
	}
	if err := m.add("service-"+name+".yaml", service, comments{"": "The Service of the colour that runs."}); err != nil {
		return nil, err
	}
	s := &corev1.Service{}
	s.Name, s.Annotations = name, map[string]string{groupsKey: `{"ingress": true}`, configKey: configValue(m)}
	s.Spec.Selector = map[string]string{}
	for key, v := range labels {
		s.Spec.Selector[key], _ = v.(string)
	}
	s.Spec.Ports = []corev1.ServicePort{{Name: "http", Port: 80}}
	s.Spec.Ports[0].TargetPort.IntVal = int32(m.port()) //nolint:gosec // a port
	if len(ports) > 0 {
		s.Spec.Ports[0].TargetPort.IntVal = ports[0].ContainerPort
	}
	return s, nil
}

// writeOther writes the Deployment of the colour without users.
func writeOther(m *maker, blue *appsv1.Deployment, live object) error {
	name := m.otherName(blue.Name)
	if m.n.deployment(name) != nil {
		m.found("deployment %s: there already", name)
		return nil
	}
	made, err := workload.Counterpart(&unstructured.Unstructured{Object: live}, m.r.label, m.r.color, name)
	if err != nil {
		return err
	}
	say := comments{
		"":              onlyOnce + "\nThe colour without users.",
		"spec/replicas": "A release sizes it like the live colour, and stages that one's pod template on it.",
	}
	if !m.r.labelled {
		finishQuietly(m, made.Object, say)
	}
	onlyPresent(say, made.Object)
	return m.add("once/deployment-"+name+".yaml", m.placed(made.Object), say)
}

// finishQuietly is finishWell without a word: it was said of the first copy.
func finishQuietly(m *maker, copied object, say comments) {
	said := m.LookAt
	finishWell(m, copied, say)
	m.LookAt = said
}
