package proof

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

var began = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

// play adds answers, one a second from began, each 30 ms after it was sent. Each word is an
// answer: o and n are served by the old and the new version, s by one that names no version;
// 503 and 500 are failures, x is a broken connection; u says nothing; . is no answer at all;
// o503 and n503 fail and name their version; | is the switch, D divides, A says that both versions have one name, F forgives. A word
// may be repeated: 20*s.
func play(t *testing.T, answers string) *Tally {
	t.Helper()
	tally, at := &Tally{}, began
	var words []string
	for word := range strings.FieldsSeq(answers) {
		n := 1
		if count, repeated, ok := strings.Cut(word, "*"); ok {
			word = repeated
			if _, err := fmt.Sscan(count, &n); err != nil {
				t.Fatal(err)
			}
		}
		words = append(words, slices.Repeat([]string{word}, n)...)
	}
	for _, word := range words {
		a := Answer{SentAt: at.Add(-30 * time.Millisecond), EndedAt: at, Kind: Served, Text: word}
		switch word {
		case "o":
			a.Version = "v1"
		case "n":
			a.Version = "v2"
		case "s":
		case "503", "500":
			a.Kind, a.Failure = Failed, word
		case "o503", "n503":
			a.Kind, a.Failure, a.Version = Failed, "503", map[string]string{"o503": "v1", "n503": "v2"}[word]
		case "x":
			a.Kind, a.Failure = Failed, BrokenConnection
		case "u":
			a.Kind = Unseen
		case "|":
			tally.Switch(at.Add(-100 * time.Millisecond))
			continue
		case "D":
			tally.Divide(at.Add(-100 * time.Millisecond))
			continue
		case "A":
			tally.Alike()
			continue
		case "F":
			tally.Forgive()
			continue
		case ".":
			at = at.Add(time.Second)
			continue
		default:
			t.Fatalf("unknown answer %q", word)
		}
		at = at.Add(time.Second)
		tally.Add(a)
	}
	return tally
}

func TestTallyShowsWhatIsNewSinceTheSwitch(t *testing.T) {
	for _, c := range []struct {
		name, answers string
		want          v1alpha1.ProofResult
		counts        string // requests failed unseen new
		versions      string // after until, in milliseconds
		breach        bool
	}{
		{name: "nothing asked", answers: "", want: v1alpha1.ProofNotObserved, counts: "0 0 0 0"},
		{name: "only a baseline", answers: "s s 503", want: v1alpha1.ProofNotObserved, counts: "3 1 0 0"},
		{name: "all served", answers: "s s | s s", want: v1alpha1.ProofConfirmed, counts: "4 0 0 0"},
		{name: "no baseline", answers: "| s s", want: v1alpha1.ProofConfirmed, counts: "2 0 0 0"},
		{name: "failing as before", answers: "s 503 | 503 503 503 503 s", want: v1alpha1.ProofConfirmed, counts: "7 5 0 0"},
		{name: "always failing", answers: "600*503 | 600*503", want: v1alpha1.ProofConfirmed, counts: "1200 1200 0 0"},
		{
			name: "one failure before hides no outage", answers: "300*s 503 299*s | 20*503", want: v1alpha1.ProofFailed, counts: "620 21 0 17",
			breach: true,
		},
		{
			name: "one failure before, and an outage later", answers: "300*s 503 299*s | 100*s 20*503", want: v1alpha1.ProofFailed,
			counts: "720 21 0 17", breach: true,
		},
		{
			name: "failing now and then as before", answers: "300*s 503 299*s | 300*s 503 299*s 503", want: v1alpha1.ProofConfirmed,
			counts: "1201 3 0 0",
		},
		{
			name: "failing in a row, as rarely as before", answers: "300*s 503 503 298*s | 3*503 s", want: v1alpha1.ProofConfirmed,
			counts: "604 5 0 0",
		},
		{name: "failing otherwise than before", answers: "s 503 | 500 500 500", want: v1alpha1.ProofFailed, counts: "5 4 0 3", breach: true},
		{name: "two failures are no breach", answers: "s | 500 500 s", want: v1alpha1.ProofFailed, counts: "4 2 0 2"},
		{name: "three kinds are three failures", answers: "s | 500 503 x", want: v1alpha1.ProofFailed, counts: "4 3 0 3", breach: true},
		{name: "three within 10 s", answers: "s | 500 s s s s 500 s s s s 500", want: v1alpha1.ProofFailed, counts: "12 3 0 3", breach: true},
		{name: "three in more than 10 s", answers: "s | 500 s s s s 500 s s s s s 500", want: v1alpha1.ProofFailed, counts: "13 3 0 3"},
		{
			name: "a breach stays one", answers: "| 500 500 500 s s s s s s s s s s s", want: v1alpha1.ProofFailed, counts: "14 3 0 3",
			breach: true,
		},
		{name: "unseen is no failure", answers: "s | u u u u u", want: v1alpha1.ProofInconclusive, counts: "1 0 5 0"},
		{name: "unseen before only", answers: "u u s | s s", want: v1alpha1.ProofConfirmed, counts: "3 0 2 0"},
		{name: "one unseen is enough", answers: "s | s u s s", want: v1alpha1.ProofInconclusive, counts: "4 0 1 0"},
		{name: "failed says more than unseen", answers: "s | u 500", want: v1alpha1.ProofFailed, counts: "2 1 1 1"},
		{name: "versions", answers: "o o | o n n", want: v1alpha1.ProofConfirmed, counts: "5 0 0 0", versions: "1100 100"},
		{name: "front ends lag", answers: "o o | n o n o n n", want: v1alpha1.ProofConfirmed, counts: "8 0 0 0", versions: "100 3100"},
		{name: "versions need a baseline", answers: "| o n n", want: v1alpha1.ProofConfirmed, counts: "3 0 0 0"},
		{name: "an answer may name no version", answers: "o s | s n s", want: v1alpha1.ProofConfirmed, counts: "5 0 0 0", versions: "1100 -"},
		{
			name: "switched at the second attempt", answers: "o 503 | o 503 500 500 500 | n n", want: v1alpha1.ProofConfirmed, counts: "9 5 0 0",
			versions: "100 -",
		},
		{name: "forgiven", answers: "| 500 500 500 F 500 s", want: v1alpha1.ProofConfirmed, counts: "5 4 0 0"},
		{name: "forgiven, and no better", answers: "| 20*500 F 20*500", want: v1alpha1.ProofFailed, counts: "40 40 0 0"},
		{name: "forgiven, and most fails on", answers: "20*500 | 20*500 F s 20*500", want: v1alpha1.ProofFailed, counts: "61 60 0 0"},
		{name: "forgiven, and worse", answers: "300*s 500 | 99*s 500 F 20*500", want: v1alpha1.ProofFailed, counts: "421 22 0 17", breach: true},
		{name: "forgiven, and front ends lag", answers: "20*500 | 20*500 F 20*500 40*s", want: v1alpha1.ProofConfirmed, counts: "100 60 0 0"},
		{name: "forgiven, and switched anew", answers: "| 20*500 F | 20*500", want: v1alpha1.ProofConfirmed, counts: "40 40 0 0"},
		{
			name: "forgiven, and something else", answers: "| 500 500 500 F 503 503 503", want: v1alpha1.ProofFailed, counts: "6 6 0 3",
			breach: true,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := play(t, c.answers).Read()
			s := r.Status
			if got := r.Result(); got != c.want {
				t.Errorf("the result is %s, want %s", got, c.want)
			}
			if got := fmt.Sprintf("%d %d %d %d", s.Requests, s.Failed, s.Unseen, s.NewFailures); got != c.counts {
				t.Errorf("requests, failed, unseen and new are %s, want %s", got, c.counts)
			}
			versions := ""
			if s.NewVersionAfter != nil {
				versions = fmt.Sprint(s.NewVersionAfter.Milliseconds()) + " -"
			}
			if s.OldVersionUntil != nil {
				versions = strings.TrimSuffix(versions, "-") + fmt.Sprint(s.OldVersionUntil.Milliseconds())
			}
			if versions != c.versions {
				t.Errorf("the versions' times are %q, want %q", versions, c.versions)
			}
			if (r.Breach != "") != c.breach {
				t.Errorf("the breach is %q, want one: %v", r.Breach, c.breach)
			}
		})
	}
}

func TestTheNewVersionIsThereAfterAnswersInARow(t *testing.T) {
	for answers, want := range map[string]int{
		"o | n n": 2, "o | n n o": 0, "o | n n o n s n 503 n": 3, "| n n n": 0,
		// The patch seemed lost, and was not; or it was, and the old version went on answering.
		"o | n n | n n n": 3, "o | o o | n n n": 3, "| o | n n n": 0,
	} {
		if got := play(t, answers).Read().NewInARow; got != want {
			t.Errorf("%s: %d in a row, want %d", answers, got, want)
		}
	}
}

func TestAHeaderThatDiffersForEveryRequestIsNotAVersion(t *testing.T) {
	tally := &Tally{}
	for i := range 100 {
		if i == 50 {
			tally.Switch(began.Add(49500 * time.Millisecond))
		}
		tally.Add(Answer{SentAt: began, EndedAt: began.Add(time.Duration(i) * time.Second), Kind: Served, Version: fmt.Sprintf("request-%d", i)})
	}
	r := tally.Read()
	if r.ToldApart || r.Status.NewVersion != "" || r.NewInARow != 0 {
		t.Errorf("the proof distinguishes versions: %+v", r)
	}
	if n := len(r.Status.Baseline.Versions); n != maxVersions+1 {
		t.Errorf("%d versions are kept", n)
	}
}

// The switch broke a request that was in flight at that moment and broke.
func TestAnAnswerCountsByItsEnd(t *testing.T) {
	tally := &Tally{}
	tally.Add(Answer{SentAt: began, EndedAt: began.Add(time.Second), Kind: Served, Version: "v1"})
	tally.Switch(began.Add(2 * time.Second))
	tally.Add(Answer{SentAt: began, EndedAt: began.Add(3 * time.Second), Kind: Failed, Failure: "502"})
	tally.Add(Answer{SentAt: began, EndedAt: began.Add(1500 * time.Millisecond), Kind: Served, Version: "v1"}) // added late
	s := tally.Read().Status
	if s.NewFailures != 1 || s.Baseline.Requests != 2 || s.OldVersionUntil != nil {
		t.Errorf("the status is %+v", s)
	}
}

func TestPercentilesAreOfWhatWasAnswered(t *testing.T) {
	tally := &Tally{}
	for i := range 100 {
		tally.Add(Answer{SentAt: began, EndedAt: began.Add(time.Duration(i+1) * time.Millisecond), Kind: Served})
	}
	tally.Add(Answer{SentAt: began, EndedAt: began.Add(5 * time.Second), Kind: Unseen})
	s := tally.Read().Status
	if s.P50.Round(time.Millisecond) != 50*time.Millisecond || s.P99.Round(time.Millisecond) != 99*time.Millisecond ||
		s.Max.Round(time.Millisecond) != 100*time.Millisecond {
		t.Errorf("p50 %s, p99 %s, max %s", s.P50.Duration, s.P99.Duration, s.Max.Duration)
	}
	tally.Interrupt(began.Add(time.Minute))
	if s := tally.Read().Status; s.P50 != nil || s.P99 != nil || s.Max != nil {
		t.Error("the proof has percentiles although some times are lost")
	}
}

func TestTallyGoesOnFromACheckpoint(t *testing.T) {
	whole := play(t, "o 503 | o n n 500")
	checkpoint := whole.Read().As(v1alpha1.ProofMeasuring)
	back := Resume(*checkpoint, whole.switchedAt)
	back.Interrupt(began.Add(time.Hour))
	again := back.Read().As(v1alpha1.ProofMeasuring)
	ended := metav1.NewMicroTime(began.Add(5 * time.Second))
	want := *checkpoint
	want.InterruptedAt, want.P50, want.P99, want.Max = &ended, nil, nil, nil
	want.OldVersionUntil = nil // it may have answered after that
	if diff := cmp.Diff(&want, again); diff != "" {
		t.Errorf("the resumed tally (-want +got):\n%s", diff)
	}
	at := began.Add(time.Hour)
	for _, a := range []Answer{
		{Kind: Failed, Failure: "503"},
		{Kind: Served, Version: "v1"},
		{Kind: Served, Version: "v2"},
		{Kind: Failed, Failure: "500"},
		{Kind: Failed, Failure: "500"},
	} {
		a.SentAt, a.EndedAt = at, at
		back.Add(a)
	}
	s := back.Read().Status
	if got := fmt.Sprintf("%d %d %d %s", s.Requests, s.Failed, s.NewFailures, s.NewVersion); got != "11 5 3 v2" {
		t.Errorf("requests, failures, new ones and the new version are %s", got)
	}
	if s.NewVersionAfter.Duration != checkpoint.NewVersionAfter.Duration || s.OldVersionUntil == nil ||
		s.OldVersionUntil.Duration < 59*time.Minute {
		t.Errorf("new after %v, old until %v", s.NewVersionAfter, s.OldVersionUntil)
	}
	if back.Read().Breach != "" {
		t.Error("one failure before the interruption and two an hour later count as a breach")
	}
}

// A checkpoint does not say how often each kind failed before.
func TestLostCountsMoveNoTrafficBackButHideNoOutage(t *testing.T) {
	for _, c := range []struct {
		before string
		after  int // failures by 500, nothing else
		breach bool
	}{
		{before: "300*s 500 299*s | s", after: 20, breach: true},
		{before: "10*500 503 10*s | s", after: 20},
		{before: "20*500 | s", after: 20},
		{before: "| 20*500 F s", after: 20},
	} {
		whole := play(t, c.before)
		tally := Resume(*whole.Read().As(v1alpha1.ProofMeasuring), whole.switchedAt)
		for i := range c.after {
			at := began.Add(time.Hour + time.Duration(i)*time.Second)
			tally.Add(Answer{SentAt: at, EndedAt: at, Kind: Failed, Failure: "500", Text: "500"})
		}
		if r := tally.Read(); (r.Breach != "") != c.breach {
			t.Errorf("%s, and %d failures: the breach is %q, %d new", c.before, c.after, r.Breach, r.Status.NewFailures)
		}
	}
}

func TestARollbackToAFailingVersionSaysHowMuchFails(t *testing.T) {
	r := play(t, "20*500 | 20*500 F s 15*500").Read()
	if s := r.As(v1alpha1.ProofMeasuring); s.NewFailures != 0 {
		t.Errorf("%d new failures before the proof is over", s.NewFailures)
	}
	if s := r.As(r.Result()); s.NewFailures != 15 || !strings.Contains(s.Message, "15 new failures since the switch") {
		t.Errorf("%d new failures: %s", s.NewFailures, s.Message)
	}
}

// The first answer after a gap does not show when the new version appeared.
func TestANewVersionFirstSeenAfterAGapHasNoTime(t *testing.T) {
	whole := play(t, "o o | o")
	for later, told := range map[string]bool{"n": false, "o n": true} {
		back := Resume(*whole.Read().As(v1alpha1.ProofMeasuring), whole.switchedAt)
		back.Interrupt(began)
		for i, word := range strings.Fields(later) {
			at := began.Add(time.Minute + time.Duration(i)*time.Second)
			back.Add(Answer{SentAt: at, EndedAt: at, Kind: Served, Version: map[string]string{"o": "v1", "n": "v2"}[word]})
		}
		if s := back.Read().Status; s.NewVersion != "v2" || (s.NewVersionAfter != nil) != told {
			t.Errorf("%s: the new version is %q after %v", later, s.NewVersion, s.NewVersionAfter)
		}
	}
}

// FuzzTally compares a tally with simpler counts.
func FuzzTally(f *testing.F) {
	f.Add([]byte("oo|onn"), "v1")
	f.Add([]byte("o5|x5u555"), "\xff")
	f.Add([]byte("||FRon"), strings.Repeat("ä", 300))
	f.Fuzz(func(t *testing.T, script []byte, text string) {
		tally, at := &Tally{}, began
		var answered, failed, unseen int
		for _, b := range script {
			at = at.Add(time.Duration(b) * 10 * time.Millisecond)
			a := Answer{SentAt: at, EndedAt: at, Kind: Served, Text: text}
			switch b % 9 {
			case 0:
				tally.Switch(at)
				continue
			case 1:
				tally.Forgive()
				continue
			case 2:
				r := tally.Read()
				if at := tally.switchedAt; !at.IsZero() {
					tally = Resume(*r.As(v1alpha1.ProofMeasuring), at)
					tally.Interrupt(at)
				}
				continue
			case 3, 4:
				a.Version = text + string(b)
			case 5, 6:
				a.Kind, a.Failure = Failed, fmt.Sprint(500+int(b)%7)
				failed++
			case 7:
				a.Kind = Unseen
				unseen++
			}
			if a.Kind != Unseen {
				answered++
			}
			tally.Add(a)
		}
		r := tally.Read()
		s := r.As(r.Result())
		if int(s.Requests) != answered || int(s.Failed) != failed || int(s.Unseen) != unseen {
			t.Errorf("%d requests, %d failed, %d unseen; want %d, %d, %d", s.Requests, s.Failed, s.Unseen, answered, failed, unseen)
		}
		if s.NewFailures > s.Failed || s.NewFailures < 0 {
			t.Errorf("%d of %d failures are new", s.NewFailures, s.Failed)
		}
		if r.Breach != "" && s.NewFailures < breachCount {
			t.Errorf("%d new failures are a breach", s.NewFailures)
		}
		if b := s.Baseline; b != nil &&
			(b.Requests > s.Requests || b.Failed > s.Failed || b.Failed > b.Requests || !slices.IsSorted(b.Failures)) {
			t.Errorf("the baseline is %+v of %+v", b, s)
		}
		if s.Message == "" || !utf8.ValidString(s.Message) || utf8.RuneCountInString(s.LastFailure) > maxText {
			t.Errorf("the message is %q, the last failure %q", s.Message, s.LastFailure)
		}
		if s.Result == v1alpha1.ProofInconclusive && strings.Contains(s.Message, " 0 failed") {
			t.Errorf("an inconclusive proof says %q", s.Message)
		}
		if (s.Result == v1alpha1.ProofConfirmed) != (s.NewFailures == 0 && r.Unseen == 0 && s.InterruptedAt == nil && r.Answered > 0) {
			t.Errorf("%s: %+v", s.Result, s)
		}
	})
}
