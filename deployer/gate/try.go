package gate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/internal/prose"
)

const (
	bodyRead = 64 << 10 // of an answer, as the API documents
	kept     = 512      // of a bad answer, and of messages of the transport or the API server
)

// try makes one request and judges the answer.
func (a Access) try(ctx context.Context, r request, pod track.Pod, timeout time.Duration) outcome {
	if pod.IP == "" {
		return bad(r, pod, "the pod has no address yet")
	}
	parent := ctx
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	ctx, sent := traced(ctx)
	q, err := a.request(ctx, r, pod)
	if err != nil {
		return outcome{couldNotLook: err}
	}
	answer, err := a.client.Do(q)
	var body []byte
	if err == nil {
		defer answer.Body.Close()
		body, err = io.ReadAll(io.LimitReader(answer.Body, bodyRead))
	}
	switch {
	case err == nil:
		return a.judge(r, pod, answer, body)
	case parent.Err() != nil:
		return outcome{couldNotLook: fmt.Errorf("%s of pod %s was interrupted: %w", r, pod.Name, parent.Err())}
	case ctx.Err() != nil && (a.proxy == nil || sent.Load()):
		return bad(r, pod, fmt.Sprintf("no answer within %s", timeout)).silently()
	case a.proxy == nil && podsOwn(err):
		return bad(r, pod, clip(err.Error()))
	case a.proxy != nil && answer != nil: // the API server passed on part of the pod's answer
		return bad(r, pod, clip("the answer broke off: "+err.Error())).silently()
	}
	return outcome{couldNotLook: fmt.Errorf("%s of pod %s: %w", r, pod.Name, err)}
}

// podsOwn reports whether the pod broke a connection, rather than the network between
// it and us.
func podsOwn(err error) bool {
	for _, network := range []error{syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.EADDRNOTAVAIL, syscall.EMFILE, syscall.ENFILE} {
		if errors.Is(err, network) {
			return false
		}
	}
	return true
}

// judge compares an answer with the expected one.
func (a Access) judge(r request, pod track.Pod, answer *http.Response, body []byte) outcome {
	if a.proxy != nil {
		if said, ok := statusOf(answer, body); ok {
			return apiServerSaid(r, pod, said)
		}
	}
	wrong := wrongWith(r, answer, body)
	if wrong == "" {
		return outcome{}
	}
	o := bad(r, pod, wrong)
	o.problem.Body = prose.Block(string(body), kept)
	return o
}

// wrongWith is what is wrong with an answer; "" if nothing is.
func wrongWith(r request, answer *http.Response, body []byte) string {
	switch {
	case r.anySuccess && (answer.StatusCode < 200 || answer.StatusCode > 399):
		return fmt.Sprintf("answered %d, expected 200 to 399", answer.StatusCode)
	case !r.anySuccess && answer.StatusCode != int(r.Status):
		return fmt.Sprintf("answered %d, expected %d", answer.StatusCode, r.Status)
	case !strings.Contains(string(body), r.BodyContains):
		return fmt.Sprintf("the answer does not contain %q", r.BodyContains)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		want, got := r.Header[name], answer.Header.Values(name)
		if !slices.Contains(got, want) {
			return fmt.Sprintf("header %s is %q, expected %q", name, strings.Join(got, ", "), want)
		}
	}
	return ""
}

// status holds the fields of the API's Status object (meta/v1) that show who sent it.
type status struct {
	Kind       string `json:"kind"`
	APIVersion string `json:"apiVersion"`
	Status     string `json:"status"`
	Message    string `json:"message"`
	Reason     string `json:"reason"`
	Code       int    `json:"code"`
}

// statusOf recognises the API server's own answers among those that it passes on from pods: they
// are Status objects that name their own status code. The headers do not show it; both have an
// Audit-Id.
func statusOf(answer *http.Response, body []byte) (status, bool) {
	var s status
	own := answer.StatusCode >= 400 && json.Unmarshal(body, &s) == nil &&
		s.Kind == "Status" && s.APIVersion == "v1" && s.Status == "Failure" && s.Code == answer.StatusCode
	return s, own
}

// proxyPrefix begins the pod proxy's message if the pod did not answer (apimachinery
// pkg/util/proxy/transport.go).
const proxyPrefix = "error trying to reach service: "

// apiServerSaid reads the API server's own answer. It is a bad answer of the pod only if the pod
// refused or broke the connection.
func apiServerSaid(r request, pod track.Pod, s status) outcome {
	said, reached := strings.CutPrefix(s.Message, proxyPrefix)
	if reached {
		for _, words := range []string{
			"connection refused", "EOF", "connection reset", "broken pipe", "malformed HTTP",
			"HTTP response to HTTPS client", "tls: ", "closed idle connection", "http2: ",
		} {
			if strings.Contains(said, words) {
				return bad(r, pod, clip(said))
			}
		}
	}
	return outcome{couldNotLook: fmt.Errorf("%s of pod %s: the API server answered %d %s: %s", r, pod.Name, s.Code, s.Reason, clip(s.Message))}
}

func bad(r request, pod track.Pod, message string) outcome {
	return outcome{problem: &v1alpha1.Evidence{Pod: pod.Name, Request: r.String(), Message: message}}
}

// clip makes foreign text fit for a message.
func clip(text string) string { return prose.Line(text, kept) }
