// Package node is the sandbox's kubelet: pods become real processes.
//
// An [Agent] registers nodes, binds pods to them, and runs each pod's containers as processes in
// the pod's own network namespace, in a copy of their image's files. It probes them with the
// kubelet's own probing packages, writes statuses in the kubelet's words, and serves the kubelet's
// API. So `pods/log` and `pods/exec` work through the API server.
//
// One [Agent] plays all nodes. Each pod belongs to one worker (pod.go), each
// container attempt to one goroutine (container.go); they change the worker's
// state under its lock and poke the goroutine that writes the status.
//
// # Decisions
//
// Binding needs no scheduler, since nothing here has a size: the pods of a ReplicaSet are bound to
// the nodes, and so to the zones, in turn.
//
// The agent uses the kubelet's code that is exported and pure (probes, conditions, status patches,
// restart policy), but not its loops, which need a container runtime.
//
// Init containers, sidecars (init containers with restartPolicy: Always) and termination messages
// work as in Kubernetes, so a Job's pods do, too.
//
// A container sees the machine's files, its own files at its image's working directory, and no
// volumes. A pod that mounts anything other than an emptyDir or its service account's token gets
// CreateContainerConfigError. A container of a loaded image (registry.Registry.Load) sees its
// image's files and no others, as the user that its pod asks for, read-only if it asks for that, with
// its Secrets, ConfigMaps and token; it finds the API server as in any cluster. Its emptyDirs are
// folders of its own root.
//
// Service addresses and cluster DNS do not work in pods: there is no kube-proxy. The sandbox's load
// balancer sends requests to pods, like Google's.
package node
