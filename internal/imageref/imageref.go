// Package imageref takes image references apart: host/path:tag@digest.
package imageref

import "strings"

// Repository is a reference without its tag and digest.
func Repository(image string) string {
	image, _, _ = strings.Cut(image, "@")
	if colon := strings.LastIndex(image, ":"); colon > strings.LastIndex(image, "/") {
		return image[:colon]
	}
	return image
}

// Digest is a reference's digest; "" without one.
func Digest(image string) string {
	_, digest, _ := strings.Cut(image, "@")
	return digest
}
