package cloudbuildtest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// filter reports whether a build belongs in a list.
type filter func(*cloudbuildpb.Build) bool

var term = regexp.MustCompile(`^\s*([a-z_.]+)\s*(!=|=|<|>)\s*"([^"]*)"\s*`)

// parseFilter reads the language that gcloud sends: terms FIELD OP "VALUE" with AND
// and OR, AND binding closer. It knows the fields that tests need, and refuses any
// other.
func parseFilter(text string) (filter, error) {
	if strings.TrimSpace(text) == "" {
		return func(*cloudbuildpb.Build) bool { return true }, nil
	}
	alternatives := [][]filter{{}}
	for {
		m := term.FindStringSubmatch(text)
		if m == nil {
			return nil, fmt.Errorf("expected FIELD OP \"VALUE\" at %q", text)
		}
		one, err := parseTerm(m[1], m[2], m[3])
		if err != nil {
			return nil, err
		}
		last := len(alternatives) - 1
		alternatives[last] = append(alternatives[last], one)
		text = text[len(m[0]):]
		if text == "" {
			return anyOf(alternatives), nil
		}
		word, rest, _ := strings.Cut(text, " ")
		switch word {
		case "AND":
		case "OR":
			alternatives = append(alternatives, nil)
		default:
			return nil, fmt.Errorf("expected AND or OR at %q", text)
		}
		text = rest
	}
}

func anyOf(alternatives [][]filter) filter {
	return func(b *cloudbuildpb.Build) bool {
		return slices.ContainsFunc(alternatives, func(all []filter) bool {
			return !slices.ContainsFunc(all, func(f filter) bool { return !f(b) })
		})
	}
}

// texts are the fields compared as text; if a field has several values, one must match.
var texts = map[string]func(*cloudbuildpb.Build) []string{
	"tags":                  func(b *cloudbuildpb.Build) []string { return b.GetTags() },
	"status":                func(b *cloudbuildpb.Build) []string { return []string{b.GetStatus().String()} },
	"build_id":              func(b *cloudbuildpb.Build) []string { return []string{b.GetId()} },
	"trigger_id":            func(b *cloudbuildpb.Build) []string { return []string{b.GetBuildTriggerId()} },
	"images":                func(b *cloudbuildpb.Build) []string { return b.GetImages() },
	"results.images.name":   func(b *cloudbuildpb.Build) []string { return imageTexts(b, (*cloudbuildpb.BuiltImage).GetName) },
	"results.images.digest": func(b *cloudbuildpb.Build) []string { return imageTexts(b, (*cloudbuildpb.BuiltImage).GetDigest) },
}

// times are the fields compared as times.
var times = map[string]func(*cloudbuildpb.Build) *timestamppb.Timestamp{
	"create_time": (*cloudbuildpb.Build).GetCreateTime,
	"start_time":  (*cloudbuildpb.Build).GetStartTime,
	"finish_time": (*cloudbuildpb.Build).GetFinishTime,
}

func imageTexts(b *cloudbuildpb.Build, text func(*cloudbuildpb.BuiltImage) string) []string {
	var out []string
	for _, image := range b.GetResults().GetImages() {
		out = append(out, text(image))
	}
	return out
}

func parseTerm(field, op, value string) (filter, error) {
	if text, ok := texts[field]; ok && (op == "=" || op == "!=") {
		return func(b *cloudbuildpb.Build) bool {
			return slices.Contains(text(b), value) == (op == "=")
		}, nil
	}
	at, ok := times[field]
	if !ok {
		return nil, fmt.Errorf("cannot filter by %s%s", field, op)
	}
	bound, err := time.Parse(time.RFC3339, value)
	if err != nil {
		return nil, fmt.Errorf("%s: %q is not a time", field, value)
	}
	return func(b *cloudbuildpb.Build) bool {
		t := at(b)
		if t == nil {
			return false
		}
		order := t.AsTime().Compare(bound)
		return map[string]bool{"<": order < 0, ">": order > 0, "=": order == 0, "!=": order != 0}[op]
	}, nil
}
