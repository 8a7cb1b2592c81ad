// Package node is the sandbox's kubelet: pods become real processes.
//
// An [Agent] registers nodes, binds pods to them, and runs each pod's containers
// as processes in a network namespace of the pod's own, in a copy of their
// image's files. It probes them with the kubelet's own probing packages, writes
// statuses in the kubelet's words, and serves the kubelet's API, so that
// `pods/log` and `pods/exec` work through the API server.
//
// One [Agent] plays all nodes. Each pod belongs to one worker (pod.go), each
// container attempt to one goroutine (container.go); they change the worker's
// state under its lock and poke the goroutine that writes the status.
//
// # Decisions
//
// Binding needs no scheduler, since nothing here has a size: the pods of a ReplicaSet
// get the nodes, and so the zones, in turn.
//
// Of the kubelet's code, what is exported and pure is used (probes, conditions,
// status patches, restart policy); its loops are not, since they need a
// container runtime.
//
// A container sees the machine's files, its own at the working directory of
// its image, and no volumes. A pod that mounts anything other than an emptyDir
// or its service account's token is told so by CreateContainerConfigError.
//
// Service addresses and cluster DNS do not resolve in pods: there is no
// kube-proxy. The sandbox's load balancer sends to pods, as Google's does.
package node
