package docs

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	canaryRecord  = "canary.json"
	canaryPicture = "canary.svg"
)

// canaryStory is what users and metrics saw of a canary: a part of canary.json, which
// sandbox/scenario writes. Seconds count from 5 s before the first weight.
type canaryStory struct {
	Name     string         `json:"name"`
	Phase    string         `json:"phase"`
	Weights  []canaryWeight `json:"weights"`
	Switched float64        `json:"switched_s"`
	Answers  []struct {
		Old       int `json:"old"`
		New       int `json:"new"`
		OldFailed int `json:"old_failed"`
		NewFailed int `json:"new_failed"`
	} `json:"answers"`
	Windows []canaryWindow `json:"windows"`
}

type canaryWeight struct {
	Weight    int     `json:"weight"`
	Intended  float64 `json:"intended_s"`
	Effective float64 `json:"effective_s"`
}

type canaryWindow struct {
	Check   string  `json:"check"`
	Weight  int     `json:"weight"`
	End     float64 `json:"end_s"`
	Verdict string  `json:"verdict"`
}

// window is how long a window of these canaries is, and adopted how long the last front end
// takes after a change, both in seconds.
const (
	window  = 5
	adopted = 21
)

func canaryStories(t *testing.T) []canaryStory {
	t.Helper()
	var all struct {
		Canaries []canaryStory `json:"canaries"`
	}
	if err := json.Unmarshal([]byte(read(t, canaryRecord)), &all); err != nil {
		t.Fatalf("%s: %v", canaryRecord, err)
	}
	return all.Canaries
}

func TestPictureOfACanaryIsOfWhatWasRecorded(t *testing.T) {
	expectPicture(t, canaryPicture, "canary.md", canaryRecord, drawCanaries(canaryStories(t)))
}

// expectPicture compares a picture with what is drawn of a record, and checks that a page shows it. With
// -update it keeps what is drawn.
func expectPicture(t *testing.T, picture, page, record, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(picture, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, read(t, picture)); diff != "" {
		t.Errorf("%s is not what %s says (-want +picture), draw it anew with -update:\n%s", picture, record, diff)
	}
	if !strings.Contains(read(t, page), "]("+picture+")") {
		t.Errorf("%s does not show %s", page, picture)
	}
}

// What the page says of the picture is true of the record.
func TestRecordedCanariesEndAsThePageSays(t *testing.T) {
	all := canaryStories(t)
	if len(all) != 2 || all[0].Name != "errors" || all[1].Name != "good" {
		t.Fatalf("%d canaries are recorded, want errors and good", len(all))
	}
	for _, tt := range []struct {
		story   canaryStory
		phase   string
		weights []int
		last    string // verdicts of the last two windows of failures
		failed  bool
	}{{all[0], "Failed", []int{40, 0}, "Fail Fail", true}, {all[1], "Succeeded", []int{40, 80}, "Pass Pass", false}} {
		s := tt.story
		var weights []int
		for _, w := range s.Weights {
			weights = append(weights, w.Weight)
		}
		if diff := cmp.Diff(tt.weights, weights); diff != "" || s.Phase != tt.phase {
			t.Errorf("%s is %s, with the weights (-want +got):\n%s", s.Name, s.Phase, diff)
		}
		verdicts := s.verdicts(t)
		if last := strings.Join(verdicts[max(0, len(verdicts)-2):], " "); last != tt.last {
			t.Errorf("%s: the last verdicts are %s, want %s", s.Name, last, tt.last)
		}
		s.expectAnswers(t, tt.failed)
	}
}

// verdicts are those of the check failures, in their order. Each window lies after its weight
// took effect, and was judged before the next one.
func (s canaryStory) verdicts(t *testing.T) (all []string) {
	t.Helper()
	for _, w := range s.Windows {
		for i, at := range s.Weights {
			late := i+1 < len(s.Weights) && w.End > s.Weights[i+1].Intended
			if at.Weight == w.Weight && (w.End-window < at.Effective || late) {
				t.Errorf("%s: the window of %s that ends at %.1f s is not one of %d %%", s.Name, w.Check, w.End, w.Weight)
			}
		}
		if w.Check == "failures" {
			all = append(all, w.Verdict)
		}
	}
	return all
}

// expectAnswers checks which version answered when, and which one failed.
func (s canaryStory) expectAnswers(t *testing.T, failed bool) {
	t.Helper()
	oldFailed, newFailed := 0, 0
	for at, a := range s.Answers {
		oldFailed, newFailed = oldFailed+a.OldFailed, newFailed+a.NewFailed
		last := s.Weights[len(s.Weights)-1]
		switch {
		case a.Old+a.New == 0:
			t.Errorf("%s: nobody asked in second %d", s.Name, at)
		case float64(at+1) < s.Weights[0].Intended && a.New > 0:
			t.Errorf("%s: %d users had the new version in second %d, before the first weight", s.Name, a.New, at)
		case last.Weight == 0 && float64(at) > last.Effective+adopted && a.New > 0:
			t.Errorf("%s: %d users had the new version in second %d, after it was taken back", s.Name, a.New, at)
		case s.Switched > 0 && float64(at) > s.Switched+adopted+1 && a.Old > 0:
			t.Errorf("%s: %d users had the old version in second %d, after the switch", s.Name, a.Old, at)
		}
	}
	if oldFailed > 0 || (newFailed > 0) != failed {
		t.Errorf("%s: %d answers of the old version failed, and %d of the new one", s.Name, oldFailed, newFailed)
	}
}

// The picture's places, in pixels.
const (
	pictureWidth, pictureHeight = 920, 420
	plotWidth                   = 370
	shareTop, shareHeight       = 70, 140
	failTop, failHeight         = 240, 60
	lanesTop, laneHeight        = 326, 22
	axisTop                     = 376
	mostFailed                  = 20 // percent
)

var canaryTitles = map[string]string{
	"errors": "The new version fails for three of ten users",
	"good":   "The new version is as good as the old one",
}

const pictureStyle = `<style>
svg{--paper:#ffffff;--ink:#1f2328;--faint:#d0d7de;--grey:#6e7781;--share:#0969da;--bad:#cf222e;--good:#1a7f37}
@media (prefers-color-scheme:dark){
svg{--paper:#0d1117;--ink:#e6edf3;--faint:#30363d;--grey:#8b949e;--share:#58a6ff;--bad:#f85149;--good:#3fb950}
}
text{font:12px system-ui,sans-serif;fill:var(--ink)}
.title{font-weight:600;font-size:14px}.small{font-size:11px;fill:var(--grey);paint-order:stroke;stroke:var(--paper);stroke-width:4px}
.paper{fill:var(--paper)}.grid{stroke:var(--faint)}.mark{stroke:var(--grey);stroke-dasharray:3 3}
.weight,.share,.failed{fill:none;stroke-width:2}.weight{stroke:var(--grey)}.share{stroke:var(--share)}.failed{stroke:var(--bad)}
.Pass{fill:var(--good)}.Fail{fill:var(--bad)}.None{fill:var(--grey)}.sign{fill:var(--paper);font-weight:700;text-anchor:middle}
</style>
`

// drawCanaries draws the stories side by side.
func drawCanaries(all []canaryStory) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="Two canaries: share of the users, `+
		`failed answers, and verdicts of the metrics over time">`+"\n", pictureWidth, pictureHeight)
	b.WriteString(pictureStyle)
	fmt.Fprintf(&b, `<rect class="paper" width="%d" height="%d" rx="6"/>`+"\n", pictureWidth, pictureHeight)
	for i, s := range all {
		p := plot{b: &b, left: 60 + float64(i)*450, story: s}
		p.draw()
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// plot draws one story.
type plot struct {
	b     *strings.Builder
	left  float64
	story canaryStory
}

func (p plot) x(second float64) float64 {
	return p.left + plotWidth*second/float64(len(p.story.Answers))
}

func (p plot) text(class string, x, y float64, anchor, text string) {
	fmt.Fprintf(p.b, `<text class="%s" x="%.1f" y="%.1f" text-anchor="%s">%s</text>`+"\n", class, x, y, anchor, text)
}

func (p plot) line(class string, x1, y1, x2, y2 float64) {
	fmt.Fprintf(p.b, `<line class="%s" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`+"\n", class, x1, y1, x2, y2)
}

func (p plot) draw() {
	p.text("title", p.left, 26, "start", canaryTitles[p.story.Name])
	p.text("small", p.left, 42, "start", "blue: answers of the new version; grey: the weight that it was given")
	p.marks()
	p.scale(shareTop, shareHeight, 100)
	p.scale(failTop, failHeight, mostFailed)
	p.text("small", p.left, failTop-8, "start", "red: failed answers")
	p.weights()
	p.curve("share", shareTop, shareHeight, 100, func(second int) (part, all int) {
		a := p.story.Answers[second]
		return a.New, a.Old + a.New
	})
	p.curve("failed", failTop, failHeight, mostFailed, func(second int) (part, all int) {
		a := p.story.Answers[second]
		return a.OldFailed + a.NewFailed, a.Old + a.New
	})
	p.windows()
	for second := 0; second < len(p.story.Answers); second += 20 {
		p.text("small", p.x(float64(second)), axisTop+16, "middle", fmt.Sprintf("%d s", second))
	}
}

// scale draws the grid of a diagram that begins at 0 %.
func (p plot) scale(top, height, most float64) {
	for _, percent := range []float64{0, most / 2, most} {
		y := top + height - height*percent/most
		p.line("grid", p.left, y, p.left+plotWidth, y)
		p.text("small", p.left-6, y+4, "end", fmt.Sprintf("%.0f %%", percent))
	}
}

// marks are the moments in which a share took effect, and the switch.
func (p plot) marks() {
	mark := func(at float64, text string) {
		p.line("mark", p.x(at), 52, p.x(at), axisTop)
		p.text("small", p.x(at)+3, 60, "start", text)
	}
	for _, w := range p.story.Weights {
		mark(w.Effective, fmt.Sprintf("%d %%", w.Weight))
	}
	if p.story.Switched > 0 {
		mark(p.story.Switched, "switch")
	}
}

// weights are the shares that Turnout gave the new version.
func (p plot) weights() {
	y := func(weight int) float64 { return shareTop + shareHeight - shareHeight*float64(weight)/100 }
	path := fmt.Sprintf("M%.1f %.1f", p.x(0), y(0))
	for _, w := range p.story.Weights {
		path += fmt.Sprintf("H%.1fV%.1f", p.x(w.Intended), y(w.Weight))
	}
	if p.story.Switched > 0 {
		path += fmt.Sprintf("H%.1fV%.1f", p.x(p.story.Switched), y(100))
	}
	fmt.Fprintf(p.b, `<path class="weight" d="%sH%.1f"/>`+"\n", path, p.left+plotWidth)
}

// curve draws a part of the answers, each second's with those of the second before and after.
func (p plot) curve(class string, top, height, most float64, of func(second int) (part, all int)) {
	var points []string
	for second := range p.story.Answers {
		part, all := 0, 0
		for near := max(0, second-1); near <= min(second+1, len(p.story.Answers)-1); near++ {
			some, any := of(near)
			part, all = part+some, all+any
		}
		percent := min(100*float64(part)/float64(max(all, 1)), most)
		points = append(points, fmt.Sprintf("%.1f,%.1f", p.x(float64(second)+0.5), top+height-height*percent/most))
	}
	fmt.Fprintf(p.b, `<polyline class="%s" points="%s"/>`+"\n", class, strings.Join(points, " "))
}

// windows are the verdicts, a lane for each check.
func (p plot) windows() {
	signs := map[string]string{"Pass": "✓", "Fail": "✗", "None": "–"}
	for lane, check := range []string{"failures", "p90"} {
		y := float64(lanesTop + lane*(laneHeight+2))
		p.text("small", p.left-6, y+laneHeight-7, "end", check)
		for _, w := range p.story.Windows {
			if w.Check != check {
				continue
			}
			from, to := p.x(w.End-window)+1, p.x(w.End)-1
			fmt.Fprintf(p.b, `<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%d" rx="3"/>`+"\n", w.Verdict, from, y, to-from, laneHeight)
			p.text("sign", (from+to)/2, y+laneHeight-6, "middle", signs[w.Verdict])
		}
	}
}
