package controlplane

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/turnout-dev/turnout/internal/process"
)

// startAttempts is how often Start tries: another test's control plane may take the free
// ports before ours listens.
const startAttempts = 3

// Options say what to start. The zero value works.
type Options struct {
	// Dir has data, certificates and logs. Default: a new temporary directory, which Stop
	// removes unless the start failed.
	Dir string
	// CRDs are files or directories of CustomResourceDefinitions to install.
	CRDs []string
	// Address is the address to listen on. Default 127.0.0.1.
	Address string
	// AdvertiseAddress is published as the endpoint of the Service "kubernetes";
	// Kubernetes refuses loopback addresses there. Default: Address, or 10.255.255.1
	// (where nothing listens) if that is a loopback address.
	AdvertiseAddress string
	// StartTimeout bounds the whole start. Default one minute.
	StartTimeout time.Duration
	// Audit names the users whose requests are recorded, see [ControlPlane.AuditLog].
	Audit []string
	// ExtraAPIServerArgs are appended to kube-apiserver's arguments.
	ExtraAPIServerArgs []string
}

// ControlPlane is a running etcd, kube-apiserver and kube-controller-manager.
type ControlPlane struct {
	// Config connects as an administrator (group system:masters), unthrottled.
	Config *rest.Config
	// Kubeconfig is the same for kubectl and other programs.
	Kubeconfig []byte
	// Dir has data, certificates and, in logs/, each process's output.
	Dir string

	url        string
	ca         *authority
	processes  []*process.Process // in order of their start
	removesDir bool
}

// Start starts a control plane and returns when it is ready: the API server answers, the
// CRDs are established, and the controller manager has created the service account of the
// namespace "default". Stop it with [ControlPlane.Stop]; in any case it does not outlive
// this process.
func Start(ctx context.Context, o Options) (*ControlPlane, error) {
	bin, err := FindBinaries()
	if err != nil {
		return nil, err
	}
	if o.StartTimeout == 0 {
		o.StartTimeout = time.Minute
	}
	ctx, cancel := context.WithTimeout(ctx, o.StartTimeout)
	defer cancel()
	for attempt := 1; ; attempt++ {
		cp, err := start(ctx, bin, o)
		if err == nil {
			return cp, nil
		}
		if attempt == startAttempts || !errors.Is(err, process.ErrEnded) {
			return nil, fmt.Errorf("starting a control plane: %w", err)
		}
	}
}

// start is one attempt at Start.
func start(ctx context.Context, bin string, o Options) (_ *ControlPlane, err error) {
	cp := &ControlPlane{Dir: o.Dir}
	defer func() {
		if err != nil {
			cp.removesDir = false // the logs show why
			cp.Stop()
		}
	}()
	l, err := cp.prepare(bin, o)
	if err != nil {
		return nil, err
	}
	if err := cp.startEtcd(ctx, l); err != nil {
		return nil, err
	}
	if err := cp.startAPIServer(ctx, l, o); err != nil {
		return nil, err
	}
	manager, err := cp.startControllerManager(l)
	if err != nil {
		return nil, err
	}
	if err := cp.installCRDs(o.CRDs); err != nil {
		return nil, err
	}
	return cp, manager.Await(ctx, cp.hasServiceAccount)
}

// prepare makes the directory, the certificates and the administrator.
func (cp *ControlPlane) prepare(bin string, o Options) (*layout, error) {
	if cp.Dir == "" {
		dir, err := os.MkdirTemp("", "turnout-controlplane-")
		if err != nil {
			return nil, fmt.Errorf("creating a directory for the control plane: %w", err)
		}
		cp.Dir, cp.removesDir = dir, true
	}
	l, err := newLayout(bin, cp.Dir, o)
	if err != nil {
		return nil, err
	}
	if cp.ca, err = newAuthority(); err != nil {
		return nil, err
	}
	if err := l.writeCertificates(cp.ca); err != nil {
		return nil, err
	}
	cp.url = "https://" + l.apiServer
	cp.Config, cp.Kubeconfig, err = cp.User("admin", []string{"system:masters"})
	if err != nil {
		return nil, err
	}
	return l, os.WriteFile(l.kubeconfig, cp.Kubeconfig, 0o600)
}

func (cp *ControlPlane) installCRDs(paths []string) error {
	if len(paths) == 0 {
		return nil
	}
	if _, err := envtest.InstallCRDs(cp.Config, envtest.CRDInstallOptions{
		Paths:              paths,
		ErrorIfPathMissing: true,
		MaxTime:            30 * time.Second,
		PollInterval:       20 * time.Millisecond,
	}); err != nil {
		return fmt.Errorf("installing the CRDs in %v: %w", paths, err)
	}
	return nil
}

// hasServiceAccount checks that the controllers work: they give every namespace a service
// account, and without one no pod is admitted.
func (cp *ControlPlane) hasServiceAccount(ctx context.Context) error {
	clients, err := kubernetes.NewForConfig(cp.Config)
	if err != nil {
		return err
	}
	_, err = clients.CoreV1().ServiceAccounts("default").Get(ctx, "default", metav1.GetOptions{})
	return err
}

// User returns a connection as this user in these groups, and the same as a kubeconfig. A
// new user has no rights until RBAC gives some. Authentication is by client certificate, so
// any name works.
func (cp *ControlPlane) User(name string, groups []string) (*rest.Config, []byte, error) {
	pair, err := cp.ca.client(name, groups)
	if err != nil {
		return nil, nil, err
	}
	config := &rest.Config{
		Host:  cp.url,
		QPS:   -1, // unthrottled; callers may set a limit
		Burst: 0,
		TLSClientConfig: rest.TLSClientConfig{
			CAData: cp.ca.cert, CertData: pair.cert, KeyData: pair.key,
		},
	}
	file := clientcmdapi.NewConfig()
	file.Clusters["turnout"] = &clientcmdapi.Cluster{Server: cp.url, CertificateAuthorityData: cp.ca.cert}
	file.AuthInfos[name] = &clientcmdapi.AuthInfo{ClientCertificateData: pair.cert, ClientKeyData: pair.key}
	file.Contexts["turnout"] = &clientcmdapi.Context{Cluster: "turnout", AuthInfo: name}
	file.CurrentContext = "turnout"
	kubeconfig, err := clientcmd.Write(*file)
	if err != nil {
		return nil, nil, fmt.Errorf("writing the kubeconfig of %s: %w", name, err)
	}
	return config, kubeconfig, nil
}

// KubeletTLS returns a kubelet's TLS configuration for these addresses: a certificate that
// the API server accepts, and the requirement of the API server's own.
func (cp *ControlPlane) KubeletTLS(addresses ...string) (*tls.Config, error) {
	pair, err := cp.ca.serving(addresses...)
	if err != nil {
		return nil, err
	}
	certificate, err := pair.tls()
	if err != nil {
		return nil, fmt.Errorf("loading the certificate of kubelet %s: %w", addresses[0], err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(cp.ca.cert)
	return &tls.Config{
		Certificates: []tls.Certificate{certificate},
		ClientCAs:    pool,
		ClientAuth:   tls.RequireAndVerifyClientCert,
		MinVersion:   tls.VersionTLS12,
	}, nil
}

// Stop ends all processes, the last started first, and removes the directory if Start made
// it.
func (cp *ControlPlane) Stop() {
	for _, v := range slices.Backward(cp.processes) {
		v.Stop()
	}
	cp.processes = nil
	if cp.removesDir {
		_ = os.RemoveAll(cp.Dir)
	}
}

// layout has the paths and addresses of one control plane.
type layout struct {
	bin, logs, data, certs, kubeconfig string
	etcd, etcdPeer, apiServer, manager string // host:port
	advertise                          string
}

func newLayout(bin, dir string, o Options) (*layout, error) {
	address := o.Address
	if address == "" {
		address = "127.0.0.1"
	}
	l := &layout{
		bin: bin, logs: filepath.Join(dir, "logs"), data: filepath.Join(dir, "etcd"),
		certs: filepath.Join(dir, "certs"), kubeconfig: filepath.Join(dir, "admin.kubeconfig"),
		advertise: o.AdvertiseAddress,
	}
	if l.advertise == "" {
		l.advertise = address
		if net.ParseIP(address).IsLoopback() {
			l.advertise = "10.255.255.1"
		}
	}
	for _, d := range []string{l.logs, l.certs} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, fmt.Errorf("creating the control plane's directories: %w", err)
		}
	}
	// A second attempt in the same directory starts from nothing.
	if err := os.RemoveAll(l.data); err != nil {
		return nil, fmt.Errorf("emptying etcd's directory: %w", err)
	}
	return l, freePorts(map[*string]string{
		&l.etcd: "127.0.0.1", &l.etcdPeer: "127.0.0.1", &l.manager: "127.0.0.1", &l.apiServer: address,
	})
}

// freePorts sets host:port for each host, all different.
func freePorts(wanted map[*string]string) error {
	for target, host := range wanted {
		listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
		if err != nil {
			return fmt.Errorf("looking for a free port on %s: %w", host, err)
		}
		defer listener.Close()
		port := listener.Addr().(*net.TCPAddr).Port
		*target = net.JoinHostPort(host, strconv.Itoa(port))
	}
	return nil
}
