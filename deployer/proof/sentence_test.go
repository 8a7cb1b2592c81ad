package proof

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

func TestSentenceSaysWhatWasSeen(t *testing.T) {
	ms := func(n int) *metav1.Duration { return &metav1.Duration{Duration: time.Duration(n) * time.Millisecond} }
	at := metav1.NewMicroTime(time.Date(2026, 11, 2, 12, 3, 4, 0, time.UTC))
	type status = v1alpha1.ProofStatus
	for _, c := range []struct {
		name    string
		s       status
		trouble string
		want    string
	}{
		{
			"confirmed",
			status{Result: v1alpha1.ProofConfirmed, Requests: 412, P99: ms(34), NewVersionAfter: ms(1200), OldVersionUntil: ms(1100)},
			"", "412 requests, 0 failed, p99 34 ms; new version after 1.2 s",
		},
		{
			"versions not told apart",
			status{Result: v1alpha1.ProofConfirmed, Requests: 1, P99: &metav1.Duration{Duration: 400 * time.Microsecond}},
			"", "1 request, 0 failed, p99 under 1 ms",
		},
		{"front ends lag", status{
			Result: v1alpha1.ProofConfirmed, Requests: 412, P99: ms(34), NewVersionAfter: ms(999),
			OldVersionUntil: ms(61_000),
		}, "", "412 requests, 0 failed, p99 34 ms; new version after 999 ms, old one until 1 min 1 s"},
		{
			"failing as before",
			status{Result: v1alpha1.ProofConfirmed, Requests: 412, Failed: 3, P99: ms(34)},
			"",
			"412 requests, 3 failed as before the switch, p99 34 ms",
		},
		{
			"failed",
			status{
				Result: v1alpha1.ProofFailed, Requests: 412, Failed: 7, NewFailures: 7, P99: ms(34), NewVersionAfter: ms(1200),
				LastFailure: "GET https://shop.example.com/ answered 503 Service Unavailable",
			},
			"",
			"412 requests, 7 new failures since the switch, p99 34 ms; new version after 1.2 s; the last failure: GET " +
				"https://shop.example.com/ answered 503 Service Unavailable",
		},
		{
			"failed, as before and otherwise",
			status{Result: v1alpha1.ProofFailed, Requests: 412, Failed: 9, NewFailures: 7},
			"",
			"412 requests, 7 new failures since the switch and 2 as before",
		},
		{
			"inconclusive",
			status{Result: v1alpha1.ProofInconclusive, Requests: 400, Unseen: 12, P99: ms(34)},
			"lookup shop.example.com: no such host",
			"inconclusive: 12 of 412 requests say nothing about the application: lookup shop.example.com: no such host",
		},
		{
			"inconclusive, failing as before",
			status{Result: v1alpha1.ProofInconclusive, Requests: 400, Failed: 2, Unseen: 12},
			"",
			"inconclusive: 12 of 412 requests say nothing about the application; of the others 2 failed as before the switch",
		},
		{
			"interrupted",
			status{Result: v1alpha1.ProofInterrupted, Requests: 300, Unseen: 2, InterruptedAt: &at, NewVersionAfter: ms(1200)},
			"",
			"interrupted at 12:03:04 UTC: 300 requests counted, 0 of them failed, 2 more say nothing; new version after 1.2 s",
		},
		{
			"not observed",
			status{Result: v1alpha1.ProofNotObserved},
			"",
			"the public address was not observed: no request was answered after the switch",
		},
		{"measuring", status{Result: v1alpha1.ProofMeasuring, Requests: 200, Failed: 1}, "", "200 requests, 1 failed so far"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Sentence(c.s, c.trouble); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}
