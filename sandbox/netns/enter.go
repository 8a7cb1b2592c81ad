package netns

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
)

// envInside marks the child as inside. It lists the names of its inherited listeners,
// comma-separated, which are file descriptors from 3 on.
const envInside = "TURNOUT_SANDBOX_INSIDE"

// Options are the program's needs from outside.
type Options struct {
	// Listen maps names to addresses outside (host:port; port 0 picks one) to
	// listen on before the program leaves the machine's network.
	Listen map[string]string
	// Hosts maps names to addresses, for the program and all that it starts: the
	// inside has no DNS. It needs a mount namespace of its own.
	Hosts map[string]string
	// Outside starts what needs the machine's own users, such as a server that refuses to run as
	// root. It is called once, outside, and stop after the program has ended. What it adds to
	// this process's environment is there inside, too.
	Outside func() (stop func(), err error)
}

// Namespace is the inside as the program finds it.
type Namespace struct {
	// Listeners are those asked for in Options.Listen. They accept from outside and,
	// at the same address, from inside, so that one URL works in both places.
	Listeners map[string]net.Listener
	// Bridge is the network that the pods' devices are plugged into.
	Bridge *Bridge
}

// Enter returns only inside the namespaces. Outside it runs this program again, with the same
// arguments, input and output, passes signals on, and exits with its status. Call it before
// starting anything else. If the machine forbids namespaces, the error says what to change.
func Enter(o Options) (*Namespace, error) {
	inside, isInside := os.LookupEnv(envInside)
	if !isInside {
		status, err := withOutside(o)
		if err != nil {
			return nil, err
		}
		os.Exit(status) //revive:disable-line:deep-exit // the child was the program
	}
	if err := os.Unsetenv(envInside); err != nil {
		return nil, fmt.Errorf("clearing %s: %w", envInside, err)
	}
	if err := mountHosts(o.Hosts); err != nil {
		return nil, err
	}
	bridge, err := newBridge()
	if err != nil {
		return nil, err
	}
	listeners, err := inherited(inside)
	if err != nil {
		return nil, err
	}
	return &Namespace{Listeners: listeners, Bridge: bridge}, nil
}

// withOutside is runInside with what o.Outside starts beside it.
func withOutside(o Options) (int, error) {
	if o.Outside == nil {
		return runInside(o)
	}
	stop, err := o.Outside()
	if err != nil {
		return 0, err
	}
	defer stop()
	return runInside(o)
}

// runInside runs this program in new namespaces and returns its exit status.
func runInside(o Options) (int, error) {
	// The child's parent-death signal is tied to the thread that starts it.
	runtime.LockOSThread()
	names, files, err := openListeners(o.Listen)
	if err != nil {
		return 0, err
	}
	namespaces := uintptr(syscall.CLONE_NEWNET | syscall.CLONE_NEWPID)
	if len(o.Hosts) > 0 {
		namespaces |= syscall.CLONE_NEWNS
	}
	cmd, err := start(strings.Join(names, ","), files, namespaces)
	if err != nil {
		return 0, err
	}
	for _, f := range files {
		_ = f.Close() // the child has its own copies
	}
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2)
	go func() {
		for s := range signals {
			_ = cmd.Process.Signal(s) // fails only if it has ended
		}
	}()
	err = cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && !exit.Exited() {
		return 128 + int(exit.Sys().(syscall.WaitStatus).Signal()), nil // as a shell reports it
	}
	if err != nil && exit == nil {
		return 0, fmt.Errorf("waiting for the sandbox's own process: %w", err)
	}
	return cmd.ProcessState.ExitCode(), nil
}

// start starts the child in a new user namespace. Where that is forbidden but
// we are root, it does without one.
func start(inside string, files []*os.File, namespaces uintptr) (*exec.Cmd, error) {
	cmd := command(inside, files, namespaces|syscall.CLONE_NEWUSER)
	err := cmd.Start()
	if err != nil && os.Geteuid() == 0 {
		cmd = command(inside, files, namespaces)
		err = cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("starting the sandbox in its own network namespace: %w\n%s", err, wayOut())
	}
	return cmd, nil
}

func command(inside string, files []*os.File, namespaces uintptr) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...) //nolint:gosec // G204: it is this very program
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), envInside+"="+inside)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.ExtraFiles = files
	// A group of its own, so that a terminal's Ctrl-C arrives once, from us.
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces, Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if namespaces&syscall.CLONE_NEWUSER != 0 {
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	return cmd
}

// wayOut names the setting that most likely forbids user namespaces here.
func wayOut() string {
	for path, hint := range map[string]string{
		"/proc/sys/kernel/unprivileged_userns_clone":             "sudo sysctl kernel.unprivileged_userns_clone=1",
		"/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0",
		"/proc/sys/user/max_user_namespaces":                     "sudo sysctl user.max_user_namespaces=15000",
	} {
		value, err := os.ReadFile(path) //nolint:gosec // G304: one of the three above
		forbids := "0"
		if strings.Contains(path, "restrict") {
			forbids = "1"
		}
		if err == nil && strings.TrimSpace(string(value)) == forbids {
			return "This machine forbids user namespaces (" + path + "); allow them with: " + hint
		}
	}
	return "This machine forbids user namespaces. In a container, start it with --security-opt seccomp=unconfined or --cap-add SYS_ADMIN; " +
		"elsewhere run as root."
}

// openListeners listens outside and returns the listeners as files to inherit.
func openListeners(wanted map[string]string) (names []string, files []*os.File, err error) {
	for name, address := range wanted {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			return nil, nil, fmt.Errorf("listening for %q on %s: %w", name, address, err)
		}
		file, err := listener.(*net.TCPListener).File()
		if err != nil {
			return nil, nil, fmt.Errorf("passing on the listener %q: %w", name, err)
		}
		_ = listener.Close() // the file is a copy of its own
		names = append(names, name)
		files = append(files, file)
	}
	return names, files, nil
}

// inherited turns the file descriptors from 3 on back into listeners.
func inherited(names string) (map[string]net.Listener, error) {
	listeners := map[string]net.Listener{}
	if names == "" {
		return listeners, nil
	}
	for i, name := range strings.Split(names, ",") {
		file := os.NewFile(uintptr(3+i), name)
		listener, err := net.FileListener(file)
		if err != nil {
			return nil, fmt.Errorf("taking over the listener %q: %w", name, err)
		}
		_ = file.Close() // the listener has its own copy
		own, err := net.Listen("tcp", listener.Addr().String())
		if err != nil {
			return nil, fmt.Errorf("listening for %q inside too: %w", name, err)
		}
		listeners[name] = join(listener, own)
	}
	return listeners, nil
}
