package v1alpha1

import (
	"regexp"
	"strings"
)

// CommitPattern matches the full hash of a commit, SHA-1 or SHA-256. The schema uses it for
// every such field.
const CommitPattern = `^[0-9a-f]{40}([0-9a-f]{24})?$`

// CommitDigits describes a full hash to people.
const CommitDigits = "40 hexadecimal digits (64 of SHA-256)"

var (
	commit      = regexp.MustCompile(CommitPattern)
	commitStart = regexp.MustCompile(`^[0-9a-f]{7,64}$`)
)

// IsCommit reports whether a text is the full hash of a commit.
func IsCommit(text string) bool { return commit.MatchString(text) }

// IsCommitStart reports whether a text is the hash of a commit or its beginning, with at
// least the 7 digits that GitHub shows.
func IsCommitStart(text string) bool { return commitStart.MatchString(text) }

// ShortCommit returns the first 7 characters of a commit's hash, as GitHub shows it.
func ShortCommit(commit string) string {
	return commit[:min(7, len(commit))]
}

// fullTag and shortTag match tags that name a commit, as Cloud Build's $COMMIT_SHA and
// $SHORT_SHA do, or docker/metadata-action's sha-…. A short one needs a letter, since
// otherwise it may be a date or a number. 64 digits in a tag may be an image's digest.
var (
	fullTag  = regexp.MustCompile(`(?:^|[-_.])([0-9a-f]{40})$`)
	shortTag = regexp.MustCompile(`^(?:sha-)?([0-9]*[a-f][0-9a-f]*)$`)
)

// Revision is the commit of a version, or a hash of at least 7 digits in its image's tag;
// "" if neither is known.
func (v Version) Revision() string {
	if v.Commit != "" {
		return v.Commit
	}
	if m := fullTag.FindStringSubmatch(v.Tag); m != nil {
		return m[1]
	}
	if m := shortTag.FindStringSubmatch(v.Tag); m != nil && len(m[1]) >= 7 && len(m[1]) < 40 {
		return m[1]
	}
	return ""
}

// Short names a version in a few characters: by its commit, its image's tag, or the
// beginning of its digest.
func (v Version) Short() string {
	if v.Commit != "" {
		return ShortCommit(v.Commit)
	}
	if _, digest, ok := strings.Cut(v.Image, "@sha256:"); ok {
		return "sha256:" + digest[:min(12, len(digest))]
	}
	image := v.Image[strings.LastIndex(v.Image, "/")+1:]
	if _, tag, ok := strings.Cut(image, ":"); ok {
		return tag
	}
	return image
}
