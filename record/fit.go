package record

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"unicode/utf8"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/internal/prose"
)

// ErrTooLarge says that a status cannot be written, because a part of it, or the whole
// object, is too large. Trying again does not help.
var ErrTooLarge = errors.New("too large to be recorded")

// MessageLimit is the size of a sentence in the record, in bytes of JSON.
const MessageLimit = 1 << 10

// Message makes a text fit for a message of the record, as writing it would. Use it to
// compare a text with a recorded one.
func Message(text string) string { return prose.Line(text, MessageLimit) }

// Commands returns the commands that can be recorded, unchanged. It leaves out commands
// that are too long, cannot be shown or look like a secret, and those beyond
// [v1alpha1.MaxCommands].
func Commands(all []v1alpha1.ShellCommand) []v1alpha1.ShellCommand {
	var kept []v1alpha1.ShellCommand
	for _, c := range all {
		if text := string(c); c.Shown() && prose.Mask(text) == text && prose.Neutral(text) == text && len(kept) < v1alpha1.MaxCommands {
			kept = append(kept, c)
		}
	}
	return kept
}

// Advice makes an advice fit for the record, as writing it would.
func Advice(a v1alpha1.Advice) v1alpha1.Advice {
	return v1alpha1.Advice{Text: Message(a.Text), Commands: Commands(a.Commands)}
}

// Waiting makes a wait fit for the record, as writing it would.
func Waiting(w *v1alpha1.Waiting) *v1alpha1.Waiting {
	if w = w.DeepCopy(); w != nil {
		_ = fit(w, "status.waiting") // the write refuses what does not fit
	}
	return w
}

// FitRelease makes a status fit for the record: it masks, neutralises and clips texts, and
// shortens lists. It never changes a text that identifies another object: if that is too
// long or cannot be shown, the error is an [ErrTooLarge] with the field. It does not change
// what fits.
func FitRelease(s *v1alpha1.ReleaseStatus) error { return fit(s, "status") }

// FitApplication does the same for the status of a BlueGreen.
func FitApplication(s *v1alpha1.BlueGreenStatus) error { return fit(s, "status") }

// ImageLimit bounds an image's name with its digest: registries allow 255 bytes for a
// repository's name, and 128 for a tag.
const ImageLimit = 512

// IsName reports whether a text can be recorded as the identity of another object.
func IsName(text string, limit int) bool {
	return prose.Size(text) <= limit && utf8.ValidString(text) && prose.Neutral(text) == text && !strings.ContainsAny(text, "\n\t")
}

// kind says what happens to a text that is too long.
type kind int

const (
	line  kind = iota // a sentence: one line, the beginning is kept
	block             // lines, the beginning is kept
	tail              // lines, the end is kept
	name              // refused
)

// bound is the limit of a text: its kind, and its size in bytes of JSON.
type bound struct {
	kind kind
	size int
}

// bounds has the limits of texts, by type and field. Any other text is a line of
// MessageLimit, so new fields have a limit, too.
var bounds = map[string]bound{
	"Evidence.Log": {tail, 4 << 10}, "Evidence.Body": {block, 1 << 10}, "Evidence.Request": {line, 512}, "Evidence.Reason": {line, 128},
	"Evidence.Pod": {name, 253}, "Evidence.Container": {name, 63},
	"ReleaseStatus.Drift": {block, 8 << 10}, "ReleaseStatus.Version": {name, ImageLimit}, "ReleaseStatus.SupersededBy": {name, 253},
	"ConfigMapRecord.Name": {name, 253}, "ConfigMapRecord.Digest": {name, 64},
	"TimelineEntry.Message": {line, 400}, "TimelineEntry.URL": {name, 512},
	"CheckStatus.Name": {name, 63}, "CheckPoint.Detail": {line, 160},
	"Failure.By": {line, 256}, "Failure.Release": {name, 253}, "Failure.Commit": {name, 64},
	"Waiting.By": {line, 256}, "Waiting.Release": {name, 253}, "Waiting.Commit": {name, 64}, "Waiting.Object": {line, 512},
	"Version.Image": {name, ImageLimit}, "Version.Commit": {name, 64}, "Version.Tag": {name, 128}, "Version.Release": {name, 253},
	"Version.TemplateHash": {name, 63},
	"BuiltMilestone.Image": {name, ImageLimit}, "BuiltMilestone.Images": {name, ImageLimit},
	"BuildImage.Field": {name, 300}, "BuildImage.Image": {name, 255}, "BuildImage.Reference": {name, ImageLimit},
	"BesideImage.Name": {name, 253}, "BesideImage.Image": {name, ImageLimit},
	"StagedMilestone.Image": {name, ImageLimit}, "StagedMilestone.TemplateHash": {name, 63},
	"VerifiedMilestone.Image": {name, ImageLimit}, "VerifiedMilestone.TemplateHash": {name, 63}, "VerifiedMilestone.Pods": {name, 253},
	"ApprovedMilestone.By": {line, 256},
	"BuildStatus.Project":  {name, 128}, "BuildStatus.Location": {name, 128}, "BuildStatus.Tag": {name, 256}, "BuildStatus.ID": {name, 128},
	"BuildStatus.LogURL": {name, 512}, "BuildStatus.State": {name, 64}, "BuildStatus.Image": {name, ImageLimit},
	"BuildStatus.Trigger":     {name, 256},
	"GateStatus.TemplateHash": {name, 63}, "GateStatus.Pods": {name, 253},
	"RouteStatus.EventsBefore": {name, 128}, "RouteStatus.Parents": {name, 16},
	"ProofStatus.NewVersion": {name, 256}, "ProofVersion.Version": {name, 256}, "RollbackSpec.Switch": {name, 64},
	"ProofBaseline.Failures": {name, 64}, "ProofBaseline.Versions": {name, 256},
	"BlueGreenStatus.Phase": {name, 64}, "BlueGreenStatus.Version": {name, ImageLimit},
	"Finding.Reason": {name, 64}, "Finding.Object": {line, 400}, "Finding.Field": {line, 400},
	"Condition.Type": {name, 316}, "Condition.Reason": {name, 128},
	"Claim.Release": {name, 253}, "Claim.UID": {name, 64}, "Claim.Holder": {name, 256},
	"SwitchRecord.Release": {name, 253}, "SwitchRecord.UID": {name, 64}, "SwitchRecord.Kind": {name, 64},
	"RolledBack.Commit": {name, 64}, "RolledBack.Release": {name, 253}, "RolledBack.By": {line, 256},
	"Lock.By": {line, 256}, "Lock.Reason": {line, 4 * v1alpha1.MaxLockReason}, "OnBranchMilestone.Branch": {name, 4 * 255},
	"RepositoryPin.Name":  {name, 140},
	"MigrationStatus.Job": {name, 63}, "MigrationStatus.UID": {name, 64}, "MigrationStatus.TemplateHash": {name, 64},
	"SchemaChange.Release": {name, 63}, "SchemaChange.Commit": {name, 64},
	"PendingContract.Release": {name, 63}, "PendingContract.Commit": {name, 64},
	"ContractStatus.Release": {name, 63}, "ContractStatus.UID": {name, 64}, "ContractStatus.Commit": {name, 64},
	"ContractStatus.DoneBy": {line, 1 << 10}, "ContractStatus.Reason": {line, 4 * v1alpha1.MaxLockReason},
	"WorkersOwed.By": {name, 260}, "KeptWorker.Worker": {name, 40}, "KeptWorker.Deployment": {name, 253}, "KeptWorker.State": {name, 64},
	"KeptWorker.Detail": {line, 400},
	"Cause.Actor":       {line, 256}, "Cause.URL": {name, 2 << 10}, "Cause.Delivery": {name, 128}, "Cause.Before": {name, 64},
}

// characters has limits for texts that the schema counts in characters: a text may have few
// enough bytes, and too many characters.
var characters = map[string]int{
	"Lock.Reason": v1alpha1.MaxLockReason, "ContractStatus.Reason": v1alpha1.MaxLockReason, "Cause.Claims": 300,
	"RepositoryPin.Name": 140, "OnBranchMilestone.Branch": 255,
}

// caps is how many entries a list may have, if not listCap. Findings are ordered by
// importance.
var caps = map[string]int{
	"Failure.Evidence": 4, "ReleaseStatus.Findings": 32, "ReleaseStatus.ConfigMaps": v1alpha1.MaxConfigMaps,
	"ReleaseStatus.Timeline": 72, "BlueGreenStatus.Findings": 32,
	"GateStatus.Pods": v1alpha1.MaxPods, "VerifiedMilestone.Pods": v1alpha1.MaxPods, "BlueGreenStatus.RolledBack": 100,
	"AnalysisStatus.Checks": 10, "CheckStatus.Points": 12, "BlueGreenStatus.Conditions": 5, "BlueGreenStatus.Commands": 5,
	"WorkersOwed.Kept":   10,
	"BuildStatus.Images": v1alpha1.MaxOtherImages, "BuiltMilestone.Images": v1alpha1.MaxOtherImages,
	"Milestones.Beside": v1alpha1.MaxOtherImages, "SwitchRecord.Beside": v1alpha1.MaxOtherImages,
	"RouteStatus.Parents": 32,                            // as many as the Gateway API allows: Turnout would not wait for a missing one
	"ShiftStatus.Steps":   10, "ShiftStatus.Weights": 12, // as the schema has them
	"ProofShift.Versions": 9, "SchemaStatus.Expanded": 20,
}

const listCap = 16

// rooms limits lists with a few very large entries, in bytes as JSON stores them.
var rooms = map[string]int{"ReleaseStatus.Findings": 24 << 10, "BlueGreenStatus.Findings": 64 << 10}

// fit makes a status fit, given as a pointer to a struct.
func fit(status any, path string) error {
	v := reflect.ValueOf(status).Elem()
	return errors.Join(fitStruct(v, path)...)
}

// fitStruct makes every field of a struct fit. Kubernetes' times and durations are structs
// without texts.
func fitStruct(v reflect.Value, path string) []error {
	var errs []error
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if !field.IsExported() {
			continue
		}
		tag, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		errs = append(errs, fitValue(v.Field(i), v.Type().Name()+"."+field.Name, path+"."+tag)...)
	}
	return errs
}

func fitValue(v reflect.Value, field, path string) []error {
	switch v.Kind() { //nolint:exhaustive // numbers and the like have no size
	case reflect.String:
		if most := characters[field]; most > 0 && utf8.RuneCountInString(v.String()) > most {
			if boundOf(v, field).kind == name {
				return []error{fmt.Errorf("%w: %s has more than %d characters: %q", ErrTooLarge, path, most, prose.Line(v.String(), 60))}
			}
			v.SetString(prose.Characters(v.String(), most))
		}
		return fitText(v, boundOf(v, field), path)
	case reflect.Pointer:
		if !v.IsNil() {
			return fitValue(v.Elem(), field, path)
		}
	case reflect.Struct:
		switch v.Interface().(type) {
		case metav1.Time, metav1.MicroTime, metav1.Duration:
			return nil
		case v1alpha1.GitHubStatus:
			return nil // see FitGitHub
		}
		return fitStruct(v, path)
	case reflect.Slice:
		if all, ok := reflect.TypeAssert[[]v1alpha1.ShellCommand](v); ok {
			v.Set(reflect.ValueOf(Commands(all)))
			return nil
		}
		room, sized := rooms[field]
		if !sized {
			cut(v, field, v.Len())
		}
		var errs []error
		for i := range v.Len() {
			entry := fmt.Sprintf("%s[%d]", path, i)
			if caps[field] == v1alpha1.MaxPods && i >= v1alpha1.NamedPods {
				errs = append(errs, fitText(v.Index(i), bound{name, v1alpha1.PodDigest}, entry)...)
				continue
			}
			errs = append(errs, fitValue(v.Index(i), field, entry)...)
		}
		if sized {
			cut(v, field, fitting(v, room))
		}
		return errs
	}
	return nil
}

// boundOf is the limit of a text.
func boundOf(v reflect.Value, field string) bound {
	if v.Type() != reflect.TypeFor[string]() {
		return bound{name, 32} // an enumeration
	}
	if b, known := bounds[field]; known {
		return b
	}
	return bound{line, MessageLimit}
}

func fitText(v reflect.Value, b bound, path string) []error {
	text := v.String()
	if text == "" || asIs.has(text, b) { // most fields of most statuses
		return nil
	}
	switch b.kind {
	case line:
		v.SetString(prose.Line(text, b.size))
	case block:
		v.SetString(prose.Block(text, b.size))
	case tail:
		v.SetString(prose.Tail(text, b.size))
	case name:
		if !IsName(text, b.size) {
			return []error{fmt.Errorf("%w: %s has %d bytes (at most %d, and no control characters): %q", ErrTooLarge, path, prose.Size(text), b.size,
				prose.Line(text, 60))}
		}
	}
	if v.String() == text {
		asIs.add(text, b)
	}
	return nil
}

// asIs are texts that fit as they are. Most writes of a status repeat most of its texts, and to look
// for secrets in each again would take a seventh of the processor time of a busy process.
var asIs texts

// texts are a bounded set.
type texts struct {
	mu   sync.Mutex
	seen map[boundText]struct{}
}

type boundText struct {
	bound bound
	sum   [sha256.Size]byte
}

// mostTexts is about those of a hundred releases under way.
const mostTexts = 8192

func (t *texts) has(text string, b bound) bool {
	key := boundText{b, sha256.Sum256([]byte(text))}
	t.mu.Lock()
	defer t.mu.Unlock()
	_, found := t.seen[key]
	return found
}

func (t *texts) add(text string, b bound) {
	key := boundText{b, sha256.Sum256([]byte(text))}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.seen == nil || len(t.seen) >= mostTexts {
		t.seen = map[boundText]struct{}{}
	}
	t.seen[key] = struct{}{}
}

// fitting is how many entries of a list fit, together with one that counts those left out;
// all if none is left out.
func fitting(v reflect.Value, room int) int {
	const rest = 512 // the largest such entry
	total, n := len("[]"), 0
	for i := range v.Len() {
		text, err := json.Marshal(v.Index(i).Interface())
		if err != nil {
			return i // a list of strings or numbers
		}
		if total += len(text) + len(","); total+rest <= room {
			n++
		}
	}
	if total <= room {
		return v.Len()
	}
	return n
}

// cut shortens a list to keep entries. If the list's type allows it, the last entry counts
// those left out. Lists in order of time keep their end.
func cut(v reflect.Value, field string, keep int) {
	most, known := caps[field]
	if !known {
		most = listCap
	}
	if v.Len() > most {
		keep = min(keep, most-1)
	}
	more := v.Len() - keep
	if more <= 0 {
		return
	}
	switch all := v.Interface().(type) {
	case []string:
		if bounds[field].kind == name {
			v.Set(v.Slice(0, most))
			return
		}
		v.Set(reflect.ValueOf(append(all[:keep:keep], fmt.Sprintf("and %d more", more))))
	case []v1alpha1.Advice:
		v.Set(reflect.ValueOf(append(all[:keep:keep], v1alpha1.Advise(fmt.Sprintf("and %d more", more)))))
	case []v1alpha1.Finding:
		rest := v1alpha1.Finding{
			Severity: v1alpha1.SeverityWarning, Reason: "More", Object: all[keep].Object,
			Message: fmt.Sprintf("and %d more", more),
		}
		v.Set(reflect.ValueOf(append(all[:keep:keep], rest)))
	case []v1alpha1.TimelineEntry, []v1alpha1.RolledBack, []v1alpha1.CheckPoint:
		v.Set(v.Slice(v.Len()-most, v.Len()))
	default:
		v.Set(v.Slice(0, most))
	}
}

// tooLarge recognises a write that was refused for its size: by the API server's limit, by
// etcd's, or by that of the connection between them.
func tooLarge(err error) bool {
	if err == nil {
		return false
	}
	said := err.Error()
	return apierrors.IsRequestEntityTooLargeError(err) || strings.Contains(said, "request is too large") ||
		strings.Contains(said, "message larger than max")
}
