package workload

import (
	"context"
	"io"
	"time"

	corev1 "k8s.io/api/core/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/internal/prose"
)

// Limits of the evidence: it goes into the record and into a comment.
const (
	logLines     = 20
	logRead      = 64 << 10         // bytes read of one log; long lines are cut
	logKept      = 4 << 10          // bytes kept, from the end
	evidenceWait = 10 * time.Second // for the log, at most
)

// Evidence shows why a colour failed: the pod, the container, how it ended, and its last 20 log
// lines, from the container that crashed, not from its successor. It is fetched now, because the
// pods may be gone soon. It is best effort, so the log may be missing.
func (w *Workloads) Evidence(ctx context.Context, bg *v1alpha1.BlueGreen, s track.Side) []v1alpha1.Evidence {
	f := s.Failure
	if f == nil {
		return noRoom(s)
	}
	e := v1alpha1.Evidence{Pod: f.Pod, Container: f.Container, Reason: string(f.Reason), ExitCode: f.ExitCode, Message: f.Message}
	if f.Pod != "" && f.ExitCode != nil && bg.Spec.Evidence.Logs != v1alpha1.LogsNone { // without an exit code it never ran
		e.Log = lastWords(ctx, w.Clientset.CoreV1().Pods(bg.Namespace), *f)
	}
	return []v1alpha1.Evidence{e}
}

// noRoom shows the first pod of a colour without room on any node, if there is one. That is
// nobody's fault until it lasts too long.
func noRoom(s track.Side) []v1alpha1.Evidence {
	for _, p := range s.Pods {
		if p.NoRoom != "" && !p.Terminating {
			return []v1alpha1.Evidence{{Pod: p.Name, Reason: corev1.PodReasonUnschedulable, Message: p.NoRoom}}
		}
	}
	return nil
}

// lastWords are a container's last lines; "" if they are not available.
func lastWords(ctx context.Context, pods corev1client.PodInterface, f track.Failure) string {
	ctx, cancel := context.WithTimeout(ctx, evidenceWait)
	defer cancel()
	text, ok := readLog(ctx, pods, f, f.Previous)
	if !ok && f.Previous { // the previous container may be gone; its successor crashes in the same way
		text, _ = readLog(ctx, pods, f, false)
	}
	return prose.LastLines(text, logLines, logKept)
}

func readLog(ctx context.Context, pods corev1client.PodInterface, f track.Failure, previous bool) (text string, ok bool) {
	lines := int64(logLines)
	stream, err := pods.GetLogs(f.Pod, &corev1.PodLogOptions{
		Container: f.Container, Previous: previous, TailLines: &lines,
	}).Stream(ctx)
	if err != nil {
		return "", false
	}
	defer stream.Close()
	// What was read before an error is still evidence.
	read, _ := io.ReadAll(io.LimitReader(stream, logRead))
	return string(read), len(read) > 0
}
