// Package urlmap reads what Google's load balancer does with users' requests: its
// URL map, by urlMaps.get of the Compute API. It changes nothing there.
//
// # Tour
//
//   - client.go: [Client] asks, bounded in size and never redirected. How long an answer
//     may take is for its caller to say.
//   - map.go: [Map] is what can be read of the answer; [Map.Says] tells, purely, which
//     of two colours it leads users to.
//
// # Decisions
//
// The events of the load balancer's controller get lost, and an application may have
// no public address. The URL map is what the controller writes, so that nobody need
// be believed. It says what front ends will do: they take it up one after the other.
//
// It costs a right (compute.urlMaps.get) in the cluster's project, so that it is asked
// only where whoever runs Turnout names that project. Whatever else but a URL map that
// was read comes of it says nothing about users.
//
// google.golang.org/api/compute/v1 instead of cloud.google.com/go/compute: both are
// Google's own and generated anew every week. The former is in a module that is needed
// anyway, speaks JSON over HTTP alone, and brings no gRPC and no generated messages.
package urlmap
