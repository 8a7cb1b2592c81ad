// Package proxy is a plain load balancer: it follows the Ingresses of its class
// and the EndpointSlices of their Services at once, and proxies HTTP. It stands
// for Ingress controllers other than Google's, which package gclb runs.
//
// Requests are routed by host and path as the Ingress API says (Exact before
// Prefix, longer before shorter, a rule's host before none, defaultBackend
// last); to ready endpoints only, in turn. No rule: 404. No ready endpoint:
// 503. An endpoint that breaks the connection: 502.
//
// # Decisions
//
// All Ingresses of its class count, merged in the order of their age, as one
// front end: in the sandbox there is one address.
//
// The routing table is computed anew at every change and swapped as a whole:
// a request sees the table before a change or the one after it, and keeps the
// endpoint it was sent to.
package proxy
