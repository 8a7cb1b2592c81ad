package controlplane

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"

	"k8s.io/client-go/kubernetes"

	"github.com/turnout-dev/turnout/internal/process"
)

// serviceRange is the cluster's range of Service addresses; its first address is the
// Service "kubernetes".
const serviceRange, firstService = "10.96.0.0/16", "10.96.0.1"

// writeCertificates stores the API server's serving certificate, the one that it shows to
// kubelets, and the key that signs service account tokens.
func (l *layout) writeCertificates(ca *authority) error {
	host, _, err := net.SplitHostPort(l.apiServer)
	if err != nil {
		return fmt.Errorf("reading the API server's address: %w", err)
	}
	serving, err := ca.serving(host, "127.0.0.1", "localhost", firstService, "kubernetes.default.svc")
	if err != nil {
		return err
	}
	kubelet, err := ca.client("kube-apiserver-kubelet-client", []string{"system:masters"})
	if err != nil {
		return err
	}
	for name, pair := range map[string]keyPair{"ca": ca.keyPair, "apiserver": serving, "kubelet-client": kubelet} {
		if err := pair.write(l.cert(name)); err != nil {
			return err
		}
	}
	return l.writeServiceAccountKey()
}

// writeServiceAccountKey makes an RSA key: kube-controller-manager cannot sign legacy
// tokens with an elliptic one.
func (l *layout) writeServiceAccountKey() error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return fmt.Errorf("creating the service account key: %w", err)
	}
	block := &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
	if err := os.WriteFile(l.cert("service-account.key"), pem.EncodeToMemory(block), 0o600); err != nil {
		return fmt.Errorf("storing the service account key: %w", err)
	}
	return nil
}

func (l *layout) cert(name string) string { return filepath.Join(l.certs, name) }

// rarelyCollected lets a process have three times the memory it needs before Go collects its garbage,
// which took half of an API server's time. More would not fit small machines: where hundreds of
// tests share an API server, it needs 900 MB.
const rarelyCollected = "GOGC=200"

// startProcess starts one binary and remembers it for Stop.
func (cp *ControlPlane) startProcess(l *layout, name string, args ...string) (*process.Process, error) {
	p, err := process.Start(process.Options{
		Program: filepath.Join(l.bin, name), Args: args, Log: filepath.Join(l.logs, name+".log"),
		Env: append(os.Environ(), rarelyCollected),
	})
	if err != nil {
		return nil, err
	}
	cp.processes = append(cp.processes, p)
	return p, nil
}

func (cp *ControlPlane) startEtcd(ctx context.Context, l *layout) error {
	p, err := cp.startProcess(
		l, "etcd",
		"--data-dir="+l.data,
		"--listen-client-urls=http://"+l.etcd,
		"--advertise-client-urls=http://"+l.etcd,
		"--listen-peer-urls=http://"+l.etcdPeer,
		"--initial-advertise-peer-urls=http://"+l.etcdPeer,
		"--initial-cluster=default=http://"+l.etcdPeer,
		"--unsafe-no-fsync", // its data need not survive the machine
	)
	if err != nil {
		return err
	}
	return p.Await(ctx, func(ctx context.Context) error { return httpOK(ctx, "http://"+l.etcd+"/health") })
}

func (cp *ControlPlane) startAPIServer(ctx context.Context, l *layout, o Options) error {
	host, port, err := net.SplitHostPort(l.apiServer)
	if err != nil {
		return fmt.Errorf("reading the API server's address: %w", err)
	}
	audit, err := l.auditArgs(o.Audit)
	if err != nil {
		return err
	}
	args := slices.Concat([]string{
		"--etcd-servers=http://" + l.etcd,
		"--bind-address=" + host,
		"--secure-port=" + port,
		"--advertise-address=" + l.advertise,
		"--tls-cert-file=" + l.cert("apiserver.crt"),
		"--tls-private-key-file=" + l.cert("apiserver.key"),
		"--client-ca-file=" + l.cert("ca.crt"),
		"--kubelet-client-certificate=" + l.cert("kubelet-client.crt"),
		"--kubelet-client-key=" + l.cert("kubelet-client.key"),
		"--kubelet-certificate-authority=" + l.cert("ca.crt"),
		"--kubelet-preferred-address-types=InternalIP",
		"--authorization-mode=RBAC",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + l.cert("service-account.key"),
		"--service-account-signing-key-file=" + l.cert("service-account.key"),
		"--service-cluster-ip-range=" + serviceRange,
		"--allow-privileged=true",
		"--enable-priority-and-fairness=false", // tests on one machine do not overload it
	}, audit, o.ExtraAPIServerArgs)
	p, err := cp.startProcess(l, "kube-apiserver", args...)
	if err != nil {
		return err
	}
	clients, err := kubernetes.NewForConfig(cp.Config)
	if err != nil {
		return fmt.Errorf("creating a client: %w", err)
	}
	return p.Await(ctx, func(ctx context.Context) error {
		return clients.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
	})
}

func (cp *ControlPlane) startControllerManager(l *layout) (*process.Process, error) {
	_, port, err := net.SplitHostPort(l.manager)
	if err != nil {
		return nil, fmt.Errorf("reading the controller manager's address: %w", err)
	}
	return cp.startProcess(
		l, "kube-controller-manager",
		"--kubeconfig="+l.kubeconfig,
		"--bind-address=127.0.0.1",
		"--secure-port="+port,
		"--cert-dir="+l.certs,
		"--service-account-private-key-file="+l.cert("service-account.key"),
		"--root-ca-file="+l.cert("ca.crt"),
		"--leader-elect=false",
		// By default 20 requests a second limit how fast many Deployments roll out.
		"--kube-api-qps=1000", "--kube-api-burst=2000",
		"--min-resync-period=1h",
		"--controllers=*,-node-lifecycle-controller,-taint-eviction-controller,-node-ipam-controller",
	)
}

// httpOK checks that url answers 200.
func httpOK(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", url, response.Status)
	}
	return nil
}
