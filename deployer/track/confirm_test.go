package track

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Every combination of the load balancer's reports and the public address's answers, at 09:00:00
// plus a number of seconds after the switch. The load balancer gets 60 s, the tail is 30 s, the
// deadline 10 minutes.
func TestSwitchIsConfirmedByWhatIsSeen(t *testing.T) {
	const url = "https://shop.example.com"
	switched := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	at := func(s int) time.Time { return switched.Add(time.Duration(s) * time.Second) }
	gce := func(l *SwitchLook) { l.GCE = true }
	asked := func(l *SwitchLook) { l.URL = url }
	rollback := func(l *SwitchLook) { l.Rollback = true }
	updated := func(l *SwitchLook) { l.GCE, l.News.URLMapUpdated = true, true }
	untranslatable := func(l *SwitchLook) { l.GCE, l.News.Translate = true, "Translation failed: no service" }
	failing := func(l *SwitchLook) { l.GCE, l.News.Sync = true, "Error syncing to GCP: quota" }
	failed := func(s int) func(*SwitchLook) { return func(l *SwitchLook) { failing(l); l.News.SyncAt = at(s) } }
	spent := func(l *SwitchLook) { l.News.Warnings = Budget }
	crowded := func(l *SwitchLook) { l.Unsettled = true }
	leads := func(l *SwitchLook) {
		l.GCE, l.Read = true, MapWord{Asked: true, Tells: true, There: true, Text: "URL map um leads there"}
	}
	leadsBack := func(l *SwitchLook) {
		l.GCE, l.Read = true, MapWord{Asked: true, Tells: true, Against: true, Text: "URL map um still leads"}
	}
	unread := func(l *SwitchLook) { l.GCE, l.Read = true, MapWord{Asked: true, Text: "URL map um may not be read"} }
	reading := func(l *SwitchLook) {
		l.GCE, l.Read = true, MapWord{Asked: true, Pending: true, Text: "URL map um is being read"}
	}
	apart := func(l *SwitchLook) { asked(l); l.ToldApart = true }
	mixed := func(l *SwitchLook) { l.ToldApart = false }
	breach := func(l *SwitchLook) { asked(l); l.Seen.Breach = "answered 503" }
	inARow := func(n int) func(*SwitchLook) { return func(l *SwitchLook) { apart(l); l.Seen.NewInARow = n } }
	old := func(s int) func(*SwitchLook) { return func(l *SwitchLook) { apart(l); l.Seen.LastOld = at(s) } }
	effect := func(s int) func(*SwitchLook) { return func(l *SwitchLook) { l.Effect = at(s) } }
	resumed := func(s int) func(*SwitchLook) { return func(l *SwitchLook) { l.Resumed = at(s) } }
	type with = []func(*SwitchLook)
	const again, done, fails, untransl, stuck = ConfirmAgain, ConfirmDone, ConfirmFails, ConfirmUntranslatable, ConfirmStuck
	for _, c := range []struct {
		name    string
		after   int
		with    with
		outcome ConfirmOutcome
		sign    v1alpha1.Sign
		says    string // a part of the message
		finding string // a part of it
	}{
		// No requests are sent.
		{"not asked, nothing tells", 1, with{}, again, "", "gives the load balancer time to take up the switch until 09:01:00 UTC", ""},
		{"not asked, nothing tells, time given", 60, with{}, done, v1alpha1.SignWait, "", ""},
		{"not asked, Google's tells nothing", 1, with{gce}, again, "", "waits for a sign", ""},
		{"not asked, Google's tells", 1, with{updated}, done, v1alpha1.SignURLMap, "", ""},
		{"not asked, Google's never tells", 60, with{gce}, done, v1alpha1.SignWait, "", "its controller did not report it within 1m0s"},
		{"not asked, Google's cannot translate", 1, with{untranslatable}, untransl, "", "no service", ""},
		{"not asked, Google's cannot sync", 1, with{failing}, again, "", "its controller reports: Error syncing to GCP: quota", ""},
		{"not asked, Google's cannot sync for long", 61, with{failing}, again, "", "quota", ""},
		{"not asked, Google's could not sync but did", 61, with{failing, updated}, done, v1alpha1.SignURLMap, "", ""},
		{"not asked, Google's never could sync", 600, with{failing}, stuck, "", "could not take up the Ingress: Error syncing", ""},

		{"not asked, Google's failed and says so no more", 61, with{failed(1)}, done, v1alpha1.SignWait, "", "did not report it within 1m0s"},
		{"not asked, Google's failed and still says so", 61, with{failed(2)}, again, "", "its controller reports: Error syncing", ""},
		{"not asked, Google's failed and may say so rarely", 360, with{failed(1), spent}, again, "", "its controller reports: Error syncing", ""},
		{"not asked, Google's failed and would have said so", 361, with{failed(1), spent}, done, v1alpha1.SignWait, "", "did not report it"},
		{"not asked, Google's tells, maybe of another's change", 1, with{updated, crowded}, again, "", "waits for a sign", ""},
		{"not asked, the URL map leads there", 1, with{leads}, done, v1alpha1.SignURLMapRead, "", ""},
		{"not asked, Google's tells, but the URL map leads back", 1, with{updated, leadsBack}, again, "", "URL map um still leads", ""},
		{"not asked, the URL map leads back for long", 61, with{leadsBack}, again, "", "URL map um still leads", ""},
		{"not asked, the URL map leads back to the end", 600, with{leadsBack}, stuck, "", "URL map um still leads", ""},
		{"not asked, the URL map is being read", 60, with{reading}, again, "", "waits for a sign", ""},
		{"not asked, the URL map is being read to the end", 600, with{reading}, done, "", "", "nobody saw whether"},
		{"not asked, the URL map cannot be read", 60, with{unread}, done, v1alpha1.SignWait, "", "within 1m0s; URL map um may not be read"},
		{"not asked, Google's tells, and the URL map cannot be read", 1, with{updated, unread}, done, v1alpha1.SignURLMap, "", ""},

		{
			"not asked, nobody lets the URL map be read", 60,
			with{gce, func(l *SwitchLook) { l.Read.Text = "URL map" }},
			done, v1alpha1.SignWait,
			"", "within 1m0s.",
		},
		{
			"not asked, nothing is to be said of the URL map", 60,
			with{gce, func(l *SwitchLook) { l.Read.Asked = true }},
			done, v1alpha1.SignWait,
			"", "within 1m0s.",
		},

		// Requests are sent; the versions cannot be told apart.
		{"asked, nothing tells", 1, with{asked}, again, "", "gives the load balancer time", ""},
		{
			"asked, nothing tells, time given", 60,
			with{asked},
			again, v1alpha1.SignWait, "measures https://shop.example.com until 09:01:30 UTC",
			"",
		},
		{"asked, in the tail", 89, with{asked, effect(60)}, again, "", "until 09:01:30 UTC", ""},
		{"asked, after the tail", 90, with{asked, effect(60)}, done, "", "", ""},
		{"asked, Google's tells", 2, with{asked, updated}, again, v1alpha1.SignURLMap, "until 09:00:32 UTC", ""},
		{"asked, Google's tells on", 20, with{asked, updated, effect(2)}, again, "", "until 09:00:32 UTC", ""},
		{
			"asked, cannot translate after it took effect", 20,
			with{asked, untranslatable, effect(2)},
			again, "",
			"its controller reports: Translation failed", "",
		},
		{"asked, could not translate but did", 2, with{asked, untranslatable, updated}, again, v1alpha1.SignURLMap, "", ""},
		{"asked, no answer seen", 90, with{func(l *SwitchLook) { l.URL = url }, effect(60)}, done, "", "", ""},
		{
			"asked, took effect too late for the tail", 600,
			with{asked, effect(590)},
			done, "", "",
			"was measured for only 10s after the switch took effect, not for 30s",
		},
		{
			"asked, no sign in time", 600,
			with{asked, failing, func(l *SwitchLook) { l.News.Sync = ""; l.Wait = time.Hour }},
			done, "", "",
			"nobody saw whether the load balancer took up the switch",
		},

		{
			"asked, cannot translate after it took effect, to the end", 600,
			with{asked, untranslatable, effect(590)},
			done, "", "",
			"measured for only 10s",
		},
		{"asked, cannot sync after it took effect, to the end", 600, with{asked, failing, effect(590)}, done, "", "", "measured for only 10s"},
		{"asked, leads back after it took effect, to the end", 600, with{asked, leadsBack, effect(590)}, done, "", "", "measured for only 10s"},
		{"asked, new version by chance", 2, with{inARow(3), mixed}, again, "", "gives the load balancer time", ""},
		{"asked, old version by chance", 60, with{old(50), mixed}, again, v1alpha1.SignWait, "until 09:01:30 UTC", ""},
		{"asked, old version by chance in the tail", 25, with{old(20), mixed, effect(2)}, again, "", "until 09:00:32 UTC", ""},
		{"asked, old version by chance, after the tail", 32, with{old(20), mixed, effect(2)}, done, "", "", ""},
		{"asked, old version by chance at the deadline", 600, with{old(599), mixed, failing}, stuck, "", "could not take up the Ingress", ""},

		// The versions can be told apart.
		{"old version before the switch only", 31, with{old(-30)}, again, "", "waits for a sign", ""},
		{"old version as it took effect", 10, with{old(2), effect(2)}, again, "", "until 09:00:32 UTC", ""},
		{"old version last ten seconds before the deadline", 600, with{old(590)}, done, "", "", "nobody saw whether"},
		{
			"old version silent for the tail, which is short", 600,
			with{old(593), effect(2), resumed(599), func(l *SwitchLook) { l.Tail = 5 * time.Second }},
			done, "", "",
			"measured for only 9m58s",
		},
		{"new version not there", 1, with{old(1)}, again, "", "waits for a sign", ""},
		{"new version twice", 2, with{old(1), inARow(2)}, again, "", "waits for a sign", ""},
		{"new version three times", 2, with{old(1), inARow(3)}, again, v1alpha1.SignNewVersion, "until 09:00:32 UTC", ""},
		{"new version without the event", 2, with{gce, old(1), inARow(3)}, again, v1alpha1.SignNewVersion, "", ""},
		{"event before the new version", 2, with{updated, old(1)}, again, v1alpha1.SignURLMap, "", ""},
		{
			"old version still answers after the event", 20,
			with{updated, old(19), effect(2)},
			again, "",
			"until the old version has not answered for 30s", "",
		},
		{"old version answered during the tail", 40, with{old(20), inARow(9), effect(2)}, again, "", "has not answered for 30s", ""},
		{"old version answered last a tail ago", 50, with{old(20), inARow(9), effect(2)}, done, "", "", ""},
		{"old version answers only: the wait is no sign", 61, with{old(60)}, again, "", "waits for a sign", ""},
		{"old version fell silent, and no new one is named", 80, with{old(20)}, again, v1alpha1.SignWait, "", ""},
		{"old version answers at the deadline", 600, with{old(599)}, stuck, "", "the old version still answers at https://shop.example.com", ""},
		{
			"old version answers at the deadline, though the event came", 600,
			with{updated, old(599), effect(2)},
			stuck, "",
			"the old version still answers", "",
		},
		{"old version silent shortly before the deadline", 600, with{old(585), effect(2)}, done, "", "", "measured for only 9m58s"},

		{"taken up again after a gap", 120, with{old(1), inARow(9), effect(2), resumed(100)}, again, "", "until 09:02:10 UTC", ""},
		{"taken up again a tail ago", 130, with{old(1), inARow(9), effect(2), resumed(100)}, done, "", "", ""},

		// Failures.
		{"new failures", 1, with{breach}, fails, "", "answered 503", ""},
		{"new failures in the tail", 20, with{breach, effect(2)}, fails, "", "answered 503", ""},
		{"new failures at the end", 700, with{breach, effect(2)}, fails, "", "answered 503", ""},
		{"new failures, and Google's cannot translate", 1, with{breach, untranslatable}, fails, "", "answered 503", ""},

		// A rollback cannot be undone.
		{"rollback, failures of what it leaves", 1, with{rollback, breach}, again, "", "", ""},
		{"rollback, failures until it takes effect", 2, with{rollback, breach, updated}, again, v1alpha1.SignURLMap, "", ""},
		{"rollback, failures of where it goes", 20, with{rollback, breach, effect(2)}, fails, "", "answered 503", ""},
		{"rollback, cannot translate", 1, with{rollback, untranslatable}, again, "", "its controller reports: Translation failed", ""},
		{"rollback, never could translate", 600, with{rollback, untranslatable}, stuck, "", "cannot take up the Ingress: Translation failed", ""},
		{"rollback, done", 32, with{rollback, asked, effect(2)}, done, "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := SwitchLook{Now: at(c.after), SwitchedAt: switched, Deadline: at(600), Wait: time.Minute, Tail: 30 * time.Second}
			for _, change := range c.with {
				change(&l)
			}
			v := l.Judge()
			ends := strings.TrimSuffix(c.finding, ".")
			if ends != c.finding && !strings.HasSuffix(v.Finding, ends) {
				t.Errorf("the finding %q does not end with %q", v.Finding, ends)
			}
			c.finding = ends
			if strings.HasSuffix(v.Message, " ") {
				t.Errorf("the final message %q is empty of facts", v.Message)
			}
			if v.Outcome != c.outcome || v.Sign != c.sign || !strings.Contains(v.Message, c.says) || !strings.Contains(v.Finding, c.finding) ||
				c.finding == "" && v.Finding != "" {
				t.Errorf("outcome %d, sign %q, message %q, finding %q", v.Outcome, v.Sign, v.Message, v.Finding)
			}
			reads := l.GCE || l.Gateway || l.URL != ""
			if v.Outcome == ConfirmAgain &&
				(!v.At.After(l.Now) || reads && v.At.Sub(l.Now) > confirmPause || v.At.After(l.Deadline) || v.Message == "") {
				t.Errorf("the next look is at %s, message %q", v.At, v.Message)
			}
			if again := l.Judge(); !reflect.DeepEqual(again, v) {
				t.Errorf("judged again: %+v", again)
			}
		})
	}
}

// The next look is when something is due, or a second later where something can be read meanwhile.
func TestNextLookAtASwitchIsWhenSomethingIsDue(t *testing.T) {
	switched := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	at := func(s float64) time.Time { return switched.Add(time.Duration(s * float64(time.Second))) }
	for name, tt := range map[string]struct {
		now, want float64
		change    func(*SwitchLook)
	}{
		"nothing, of Google's":  {30.5, 31.5, func(l *SwitchLook) { l.GCE = true }},
		"nothing, with answers": {30.5, 31.5, func(l *SwitchLook) { l.URL = "https://shop.example.com" }},
		"nothing, on a Gateway": {30.5, 31.5, func(l *SwitchLook) { l.Gateway = true }},
		"nothing to read":       {30.5, 60, func(*SwitchLook) {}},
		"a time has to do":      {59.5, 60, func(*SwitchLook) {}},
		"the end of the tail":   {31.75, 32, func(l *SwitchLook) { l.URL, l.Effect = "https://shop.example.com", at(2) }},
		"the deadline":          {599.25, 600, func(l *SwitchLook) { l.GCE, l.News.Sync = true, "quota" }},
		"the deadline in time":  {599, 600, func(l *SwitchLook) { l.GCE, l.News.Sync = true, "quota" }},
	} {
		l := SwitchLook{Now: at(tt.now), SwitchedAt: switched, Deadline: at(600), Wait: time.Minute, Tail: 30 * time.Second}
		tt.change(&l)
		if v := l.Judge(); v.Outcome != ConfirmAgain || !v.At.Equal(at(tt.want)) {
			t.Errorf("%s is due: outcome %d, looks again at %s, want %s", name, v.Outcome, v.At, at(tt.want))
		}
	}
}

// The waiting facts agree with the message.
func TestWaitForASwitchIsToldInFacts(t *testing.T) {
	const url = "https://shop.example.com"
	switched := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	at := func(s int) time.Time { return switched.Add(time.Duration(s) * time.Second) }
	until := func(w *v1alpha1.Waiting, s int) *v1alpha1.Waiting { w.Until = Stamp(at(s)); return w }
	detail := func(w *v1alpha1.Waiting, d string) *v1alpha1.Waiting { w.Detail = d; return w }
	sign := func() *v1alpha1.Waiting { return WaitsFor(v1alpha1.WaitsForLoadBalancer, v1alpha1.BecauseSwitch) }
	tail := func(s int) *v1alpha1.Waiting {
		return until(WaitsForObject(v1alpha1.WaitsForAddress, v1alpha1.BecauseTail, url), s)
	}
	for name, tt := range map[string]struct {
		change func(*SwitchLook)
		want   *v1alpha1.Waiting
	}{
		"a sign of Google's": {func(l *SwitchLook) { l.GCE = true }, sign()},
		"a sign by answers":  {func(l *SwitchLook) { l.ToldApart = true }, sign()},
		"a time":             {func(*SwitchLook) {}, WaitsUntil(v1alpha1.WaitsForLoadBalancer, v1alpha1.BecauseTime, at(60))},
		"the tail":           {func(l *SwitchLook) { l.Effect = at(2) }, tail(32)},
		"the tail, told apart": {func(l *SwitchLook) {
			l.Effect, l.ToldApart, l.Seen.LastOld = at(2), true, at(2)
		}, tail(32)},
		"the tail, not told apart": {func(l *SwitchLook) { l.Effect, l.Seen.LastOld = at(2), at(9) }, tail(32)},
		"the old version": {func(l *SwitchLook) {
			l.Effect, l.ToldApart, l.Seen.LastOld = at(2), true, at(9)
		}, WaitsForObject(v1alpha1.WaitsForAddress, v1alpha1.BecauseOldVersion, url)},
		"the URL map": {func(l *SwitchLook) {
			l.GCE, l.Read = true, MapWord{Against: true, Text: "leads back"}
		}, detail(sign(), "leads back")},
		"what the URL map says is no hindrance": {func(l *SwitchLook) { l.GCE, l.Read.Text = true, "not read" }, sign()},
		"the controller":                        {func(l *SwitchLook) { l.GCE, l.News.Sync = true, "quota" }, detail(sign(), "quota")},
		"both": {func(l *SwitchLook) {
			l.GCE, l.Read, l.News.Sync = true, MapWord{Against: true, Text: "leads back"}, "quota"
		}, detail(sign(), "leads back; quota")},
	} {
		l := SwitchLook{Now: at(10), SwitchedAt: switched, Deadline: at(600), URL: url, Wait: time.Minute, Tail: 30 * time.Second}
		tt.change(&l)
		if diff := cmp.Diff(tt.want, l.Judge().Waits); diff != "" {
			t.Errorf("%s: it waits for (-want +got):\n%s", name, diff)
		}
	}
}

// A confirmation always ends at its deadline.
func TestConfirmationEndsAtItsDeadline(t *testing.T) {
	now := time.Date(2026, 11, 2, 9, 10, 0, 0, time.UTC)
	for bits := range 1 << 9 {
		bit := func(i int) bool { return bits>>i&1 == 1 }
		l := SwitchLook{Now: now, SwitchedAt: now.Add(-10 * time.Minute), Deadline: now, Wait: time.Hour, Tail: time.Minute}
		l.GCE, l.Rollback, l.ToldApart = bit(0), bit(1), bit(2)
		l.News = News{URLMapUpdated: bit(3)}
		if bit(4) {
			l.News.Translate = "no"
		}
		if bit(5) {
			l.News.Sync = "no"
		}
		if bit(6) {
			l.Effect = now.Add(-5 * time.Second)
		}
		if bit(7) {
			l.URL = "https://shop.example.com"
		}
		l.Seen = Answered{LastOld: now.Add(-time.Second)}
		if bit(8) {
			l.Seen.LastOld = time.Time{}
		}
		if v := l.Judge(); v.Outcome == ConfirmAgain || v.Outcome == 0 {
			t.Errorf("%+v: outcome %d", l, v.Outcome)
		}
	}
}
