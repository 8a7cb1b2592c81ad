package cloudbuild

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
	"time"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/turnout-dev/turnout/internal/imageref"
)

// Phase is the state of a build.
type Phase string

// The phases of a build. Those from Succeeded on are final.
const (
	AwaitingApproval Phase = "AwaitingApproval" // PENDING: a person must approve it in Cloud Build
	Queued           Phase = "Queued"
	Working          Phase = "Working"
	Succeeded        Phase = "Succeeded"
	Failed           Phase = "Failed"   // FAILURE, INTERNAL_ERROR
	TimedOut         Phase = "TimedOut" // TIMEOUT, EXPIRED
	Cancelled        Phase = "Cancelled"
)

// Fault is who has to change something before another attempt can succeed.
type Fault string

// The parties at fault.
const (
	// FaultNone: nothing went wrong, or a person cancelled it.
	FaultNone Fault = ""
	// FaultRelease: the commit, its cloudbuild.yaml or the BlueGreen.
	FaultRelease Fault = "Release"
	// FaultWorld: Google Cloud, a quota, a permission, the network.
	FaultWorld Fault = "World"
)

// Image is an image that Cloud Build pushed.
type Image struct {
	// Name is the name listed under images, substitutions expanded, with its tag.
	Name string `json:"name"`
	// Digest is "sha256:…".
	Digest string `json:"digest"`
}

// State is a build as last seen.
type State struct {
	Phase Phase
	// Status is the API's own word for the phase, such as FAILURE.
	Status string
	// Fault of a build that did not succeed.
	Fault Fault
	// Message is for people: what went wrong, and the way out. Empty if nothing did.
	Message string
	Images  []Image
	LogURL  string
	// ClusterStep describes the step that would change the cluster; "" if none is visible.
	ClusterStep string
	// Zero for what has not happened yet.
	Created, Started, Finished time.Time
}

// Lost reports whether Cloud Build itself lost the build: it broke, or had no room to
// begin. Another build may well succeed.
func (s State) Lost() bool {
	return s.Status == cloudbuildpb.Build_INTERNAL_ERROR.String() || s.Status == cloudbuildpb.Build_EXPIRED.String()
}

// Queued is how long the build waited for Cloud Build to begin, or has waited until now.
func (s State) Queued(now time.Time) time.Duration {
	switch {
	case s.Created.IsZero():
		return 0
	case !s.Started.IsZero():
		now = s.Started
	case !s.Finished.IsZero():
		now = s.Finished
	}
	return max(now.Sub(s.Created), 0)
}

// Worked is how long Cloud Build worked on a build that has ended.
func (s State) Worked() time.Duration {
	if s.Started.IsZero() || s.Finished.IsZero() {
		return 0
	}
	return s.Finished.Sub(s.Started)
}

// Done reports whether the build has ended.
func (s State) Done() bool {
	switch s.Phase {
	case Succeeded, Failed, TimedOut, Cancelled:
		return true
	default:
		return false
	}
}

// NoDigestError is a successful build that did not report a digest for an image.
type NoDigestError struct {
	Image  string
	Pushed []Image
	// Field of the BlueGreen that names the image. Default: spec.build.image.
	Field string
}

// Error names the image, what was pushed instead, and the way out.
func (e *NoDigestError) Error() string {
	names := make([]string, 0, len(e.Pushed))
	for _, image := range e.Pushed {
		names = append(names, image.Name)
	}
	pushed := "no image at all"
	if len(names) > 0 {
		pushed = strings.Join(names, ", ")
	}
	return fmt.Sprintf("the build succeeded but reports no digest for %s (it reports %s); list the image under images in cloudbuild.yaml, "+
		"or correct %s of the BlueGreen", e.Image, pushed, cmp.Or(e.Field, "spec.build.image"))
}

// Digest is an image of the build, as repository@sha256:…; image is the result of File.Choose. An
// error is a *NoDigestError. If two tags of one repository have two digests, the first one listed
// counts.
func (s State) Digest(image string) (string, error) {
	pattern := namePattern(imageref.Repository(image))
	for _, built := range s.Images {
		if name := imageref.Repository(built.Name); built.Digest != "" && pattern.MatchString(name) {
			return name + "@" + built.Digest, nil
		}
	}
	return "", &NoDigestError{Image: image, Pushed: s.Images}
}

// namePattern matches the names of an image that only the build knew in full.
func namePattern(image string) *regexp.Regexp {
	var b strings.Builder
	for i, part := range laterName.Split(image, -1) {
		if i > 0 {
			b.WriteString(`[A-Za-z0-9._-]*`)
		}
		b.WriteString(regexp.QuoteMeta(part))
	}
	return regexp.MustCompile("^" + b.String() + "$")
}

// verdicts maps each status of the API (Build.Status) to its phase, its fault and a
// message for people, to which the build's own details are added.
var verdicts = map[cloudbuildpb.Build_Status]struct {
	phase   Phase
	fault   Fault
	message string
}{
	cloudbuildpb.Build_STATUS_UNKNOWN: {Queued, FaultNone, ""},
	cloudbuildpb.Build_PENDING:        {AwaitingApproval, FaultNone, "the build waits for an approval in Cloud Build: approve it there"},
	cloudbuildpb.Build_QUEUED:         {Queued, FaultNone, ""},
	cloudbuildpb.Build_WORKING:        {Working, FaultNone, ""},
	cloudbuildpb.Build_SUCCESS:        {Succeeded, FaultNone, ""},
	cloudbuildpb.Build_FAILURE:        {Failed, FaultRelease, "the build failed"},
	cloudbuildpb.Build_INTERNAL_ERROR: {Failed, FaultWorld, "Cloud Build had an internal error; a new attempt may succeed"},
	cloudbuildpb.Build_TIMEOUT: {
		TimedOut, FaultRelease,
		"the build took longer than its timeout; raise spec.build.timeout of the BlueGreen, or timeout in cloudbuild.yaml",
	},
	cloudbuildpb.Build_CANCELLED: {Cancelled, FaultNone, "the build was cancelled"},
	cloudbuildpb.Build_EXPIRED: {
		TimedOut, FaultWorld,
		"the build waited in Cloud Build's queue longer than its queueTtl; a new attempt may find room, or another spec.build.location",
	},
}

// failureFaults are the failures that another commit would not fix
// (Build.FailureInfo.FailureType).
var failureFaults = map[cloudbuildpb.Build_FailureInfo_FailureType]Fault{
	cloudbuildpb.Build_FailureInfo_PUSH_FAILED:         FaultWorld,
	cloudbuildpb.Build_FailureInfo_PUSH_NOT_AUTHORIZED: FaultWorld,
	cloudbuildpb.Build_FailureInfo_LOGGING_FAILURE:     FaultWorld,
	cloudbuildpb.Build_FailureInfo_FETCH_SOURCE_FAILED: FaultWorld,
}

// stateOf reads the API's build.
func stateOf(b *cloudbuildpb.Build) State {
	verdict, known := verdicts[b.GetStatus()]
	if !known { // a status newer than this code: not ended, so look again
		verdict.phase = Working
	}
	s := State{
		Phase: verdict.phase, Status: b.GetStatus().String(), Fault: verdict.fault, Message: verdict.message,
		LogURL: b.GetLogUrl(), Created: timeOf(b.GetCreateTime()), Started: timeOf(b.GetStartTime()), Finished: timeOf(b.GetFinishTime()),
	}
	if i, why := (&File{Build: b}).clusterStep(); why != "" {
		s.ClusterStep = stepName(i, b.GetSteps()[i].GetId()) + " " + why
	}
	for _, image := range b.GetResults().GetImages() {
		s.Images = append(s.Images, Image{Name: image.GetName(), Digest: image.GetDigest()})
	}
	if !s.Done() || s.Phase == Succeeded {
		return s
	}
	if s.Phase == Failed && s.Fault == FaultRelease {
		if fault, ok := failureFaults[b.GetFailureInfo().GetType()]; ok {
			s.Fault = fault
		}
	}
	s.Message = strings.Join(append([]string{s.Message}, details(b)...), "; ")
	return s
}

// details are what the build itself reports about its end.
func details(b *cloudbuildpb.Build) []string {
	var out []string
	for i, step := range b.GetSteps() {
		if text := failedStep(i, step); text != "" {
			out = append(out, text)
		}
	}
	if info := b.GetFailureInfo(); info.GetType() != cloudbuildpb.Build_FailureInfo_FAILURE_TYPE_UNSPECIFIED || info.GetDetail() != "" {
		out = append(out, strings.TrimSuffix(info.GetType().String()+": "+info.GetDetail(), ": "))
	}
	if b.GetFailureInfo().GetType() == cloudbuildpb.Build_FailureInfo_FETCH_SOURCE_FAILED && b.GetSource().GetGitSource() != nil &&
		b.GetBuildTriggerId() == "" {
		out = append(out, "Cloud Build clones "+b.GetSource().GetGitSource().GetUrl()+
			" without credentials: unless it is public, set spec.build.source.git of the BlueGreen to false")
	}
	if detail := b.GetStatusDetail(); detail != "" && detail != b.GetFailureInfo().GetDetail() {
		out = append(out, detail)
	}
	return out
}

// failedStep describes how a step failed; "" if it did not. A step that may fail does not fail
// the build. A step's status is known only at the build's end.
func failedStep(i int, step *cloudbuildpb.BuildStep) string {
	if step.GetAllowFailure() {
		return ""
	}
	switch step.GetStatus() {
	case cloudbuildpb.Build_FAILURE:
		return fmt.Sprintf("%s, %s, exited with %d", stepName(i, step.GetId()), step.GetName(), step.GetExitCode())
	case cloudbuildpb.Build_TIMEOUT:
		return fmt.Sprintf("%s, %s, ran out of time", stepName(i, step.GetId()), step.GetName())
	case cloudbuildpb.Build_INTERNAL_ERROR:
		return fmt.Sprintf("%s, %s, could not be run", stepName(i, step.GetId()), step.GetName())
	default:
		return ""
	}
}

func timeOf(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}
