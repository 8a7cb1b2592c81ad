package gclb

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// namer makes the names of a cluster's compute resources. A NEG, its backend
// service and its health check share one name (pkg/utils/serviceport.go:87-102),
// so that all Ingresses share the backend of a Service's port.
type namer struct {
	cluster string // the first 8 characters of the cluster's UID
}

// maxDescriptive is what the readable part of a name may take of the 63
// characters that compute allows (pkg/utils/namer/namer.go, maxNEGDescriptiveLabel).
const maxDescriptive = 38

// neg names the NEG of a Service's port.
func (n namer) neg(namespace, service string, port int32) string {
	return "k8s1-" + n.describe(namespace, service, strconv.Itoa(int(port)))
}

// urlMap names the URL map of an Ingress.
func (n namer) urlMap(namespace, ingress string) string {
	return "k8s2-um-" + n.describe(namespace, ingress)
}

// describe is the cluster, the fields, shortened evenly, and a hash of what they
// were before.
func (n namer) describe(fields ...string) string {
	sum := sha256.Sum256([]byte(n.cluster + ";" + strings.Join(fields, ";")))
	return fmt.Sprintf("%s-%s-%s", n.cluster, strings.Join(shorten(fields, maxDescriptive), "-"), hex.EncodeToString(sum[:4]))
}

// shorten cuts the longest fields until all of them have at most limit characters.
func shorten(fields []string, limit int) []string {
	short := slices.Clone(fields)
	for total := len(strings.Join(short, "")); total > limit; total-- {
		longest := 0
		for i := range short {
			if len(short[i]) > len(short[longest]) {
				longest = i
			}
		}
		short[longest] = short[longest][:len(short[longest])-1]
	}
	return short
}
