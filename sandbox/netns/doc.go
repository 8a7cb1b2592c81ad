// Package netns gives the sandbox a network of its own, without root.
//
// Pods need addresses: ten copies of one application all listen on port 8080,
// and the API server refuses loopback addresses in EndpointSlices. So the
// program runs itself again inside new user, network and process-id namespaces,
// where it may make bridges, and pairs of virtual Ethernet devices, and network
// namespaces for pods. What must be reached from outside, by a browser or by
// curl, comes in as listeners that were opened before.
//
// [Enter] is called first thing in main, or in TestMain:
//
//	func TestMain(m *testing.M) {
//		world, err := netns.Enter(netns.Options{})
//		if err != nil {
//			fmt.Fprintln(os.Stderr, err)
//			os.Exit(1)
//		}
//		_ = world
//		os.Exit(m.Run())
//	}
//
// # Decisions
//
// The child is the first process of a process ID namespace. So the kernel ends every pod and every
// control plane process with it, even if the sandbox is killed and cannot clean up.
//
// The mount namespace stays the machine's, unless names must resolve: unprivileged users may often
// not mount proc. So /proc shows the machine's process IDs, and namespaces are held by file
// descriptor and never looked up by process ID.
//
// Devices are created by netlink, because slim machines have no ip command.
package netns
