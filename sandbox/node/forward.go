package node

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	criforward "k8s.io/cri-streaming/pkg/streaming/portforward"
)

// serveForward serves pods/portforward.
func (a *Agent) serveForward(w http.ResponseWriter, r *http.Request) {
	pod := a.worker(r.PathValue("namespace"), r.PathValue("pod"))
	if pod == nil {
		http.Error(w, fmt.Sprintf("pod %s/%s not found on this node", r.PathValue("namespace"), r.PathValue("pod")), http.StatusNotFound)
		return
	}
	options, err := criforward.NewV4Options(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	criforward.ServePortForward(w, r, forwarder{pod}, pod.name, string(pod.current().UID), options, time.Hour, 30*time.Second,
		criforward.SupportedProtocols)
}

// forwarder connects to a pod's ports, on its loopback device, too.
type forwarder struct{ pod *worker }

// PortForward implements the streaming server's PortForwarder. It returns when either side has
// ended.
func (f forwarder) PortForward(ctx context.Context, _, _ string, port int32, stream io.ReadWriteCloser) error {
	f.pod.mu.Lock()
	network := f.pod.network
	f.pod.mu.Unlock()
	if network == nil {
		return fmt.Errorf("pod %s has no network yet", f.pod.name)
	}
	connection, err := network.Dial(net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port))))
	if err != nil {
		return err
	}
	defer connection.Close()
	defer stream.Close()
	ended := make(chan struct{}, 2)
	for _, pair := range [][2]io.ReadWriter{{stream, connection}, {connection, stream}} {
		go func() {
			_, _ = io.Copy(pair[0], pair[1]) // ends with either side
			ended <- struct{}{}
		}()
	}
	select {
	case <-ended:
	case <-ctx.Done():
	}
	return nil
}
