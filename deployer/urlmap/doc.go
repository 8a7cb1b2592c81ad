// Package urlmap reads what Google's load balancer does with users' requests: its URL map, by
// urlMaps.get of the Compute API. It changes nothing there.
//
// # Tour
//
//   - client.go: [Client] sends the request, with a bound on the size and without following
//     redirects. Its caller bounds the time of an answer.
//   - map.go: [Map] is the answer; [Map.Says] determines, purely, which of two colours it
//     leads users to.
//
// # Decisions
//
// The events of the load balancer's controller get lost, and an application may have no public
// address. The controller writes the URL map itself, so it is direct evidence. It shows what
// front ends will do: they apply it one after the other.
//
// It requires a right (compute.urlMaps.get) in the cluster's project, so Turnout asks only if its
// operator names that project. Any result but a URL map is no evidence about users.
//
// The client is google.golang.org/api/compute/v1 instead of cloud.google.com/go/compute. Google
// generates both again every week. The former is in a module that is needed anyway, uses only
// JSON over HTTP, and brings no gRPC and no generated messages.
package urlmap
