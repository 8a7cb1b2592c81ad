package docs

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

const (
	scaleBench   = "bench/scale.json"
	scalePicture = "scale.svg"
)

// scaleRow is a row of what `make bench-scale` and `make bench-many` write.
type scaleRow struct {
	Tool             string  `json:"tool"`
	Applications     int     `json:"applications"`
	PerNamespace     int     `json:"per_namespace"`
	ForeignPods      int     `json:"foreign_pods"`
	FinishedReleases int     `json:"finished_releases"`
	Bare             bool    `json:"bare"`
	StartS           float64 `json:"start_s"`
	SettleS          float64 `json:"settle_s"`
	RSS              float64 `json:"rss_mb"`
	RSSAnon          float64 `json:"rss_anon_mb"`
	IdleCPU          float64 `json:"idle_cpu_pct"`
	P50              float64 `json:"ready_to_switch_p50_ms"`
	Max              float64 `json:"ready_to_switch_max_ms"`
	Rollback         float64 `json:"rollback_p50_ms"`
	Burst            int     `json:"burst"`
	FirstS           float64 `json:"first_switch_s"`
	LastS            float64 `json:"last_switch_s"`
	ReportS          float64 `json:"report_lag_s"`
}

func readScale(t *testing.T) []scaleRow {
	t.Helper()
	var all struct {
		Rows []scaleRow `json:"rows"`
	}
	if err := json.Unmarshal([]byte(read(t, scaleBench)), &all); err != nil {
		t.Fatalf("%s: %v", scaleBench, err)
	}
	return all.Rows
}

// title is what a person calls the tool.
func (r scaleRow) title() string {
	return map[string]string{"turnout": "Turnout", "argo-rollouts": "Argo Rollouts"}[r.Tool]
}

func (r scaleRow) text() string {
	what := fmt.Sprintf("%d", r.Applications)
	switch {
	case r.Bare:
		what += ", no pods"
	case r.PerNamespace == r.Applications:
		what += ", in one namespace"
	}
	if r.FinishedReleases > 0 {
		what += fmt.Sprintf(", %d releases behind each", r.FinishedReleases)
	}
	if r.ForeignPods > 0 {
		what += fmt.Sprintf(", %d pods of others", r.ForeignPods)
	}
	line := fmt.Sprintf("| %s | %s | %.1f s | %.0f MB, %.0f MB | %.1f %% |", r.title(), what, r.SettleS, r.RSS, r.RSSAnon, r.IdleCPU)
	if r.Bare {
		return line + " | | |\n"
	}
	rollback := ""
	if r.Rollback > 0 {
		rollback = fmt.Sprintf("%.0f ms", r.Rollback)
	}
	return line + fmt.Sprintf(" %.0f ms, %.0f ms | %s | %d: %.1f s, %.1f s |\n", r.P50, r.Max, rollback, r.Burst, r.FirstS, r.LastS)
}

// unmetByScale says what the rows lack of what the page compares: a peer of the same size, everything
// measured, and growth by applications alone.
func unmetByScale(rows []scaleRow) []string {
	var unmet []string
	plain := map[string]map[int]scaleRow{} // by tool and size
	for _, r := range rows {
		if r.title() == "" {
			unmet = append(unmet, "nobody knows the tool "+r.Tool)
		}
		if r.SettleS == 0 || r.RSSAnon == 0 || !r.Bare && (r.P50 == 0 || r.Burst == 0 || r.LastS == 0 || r.Tool == "turnout" && r.Rollback == 0) {
			unmet = append(unmet, fmt.Sprintf("%s with %d applications was not measured whole", r.Tool, r.Applications))
		}
		if plain[r.Tool] == nil {
			plain[r.Tool] = map[int]scaleRow{}
		}
		if r.FinishedReleases == 0 && r.ForeignPods == 0 && r.PerNamespace < r.Applications && !r.Bare {
			plain[r.Tool][r.Applications] = r
		}
	}
	if len(plain["argo-rollouts"]) == 0 {
		unmet = append(unmet, "there is nothing to compare with")
	}
	for size := range plain["argo-rollouts"] {
		if plain["turnout"][size].Tool == "" {
			unmet = append(unmet, fmt.Sprintf("turnout was not measured with %d applications", size))
		}
	}
	for _, r := range rows {
		spread, found := plain[r.Tool][r.Applications]
		if found && r.PerNamespace == r.Applications && (r.SettleS > 1.25*spread.SettleS+2 || r.RSSAnon > 1.25*spread.RSSAnon) {
			unmet = append(unmet, fmt.Sprintf("%d applications in one namespace took %.1f s and %.0f MB, and spread %.1f s and %.0f MB: 25 %% more "+
				"at most", r.Applications, r.SettleS, r.RSSAnon, spread.SettleS, spread.RSSAnon))
		}
	}
	return unmet
}

func TestManyApplicationsAreMeasuredWhole(t *testing.T) {
	if unmet := unmetByScale(readScale(t)); len(unmet) > 0 {
		t.Errorf("%s:\n%s", scaleBench, strings.Join(unmet, "\n"))
	}
}

func TestMeasurementsOfScaleThatSayLittleAreRefused(t *testing.T) {
	for name, spoil := range map[string]func([]scaleRow) []scaleRow{
		"no peer":             func(rows []scaleRow) []scaleRow { return rows[:1] },
		"nothing rolled back": func(rows []scaleRow) []scaleRow { rows[0].Rollback = 0; return rows },
		"no burst":            func(rows []scaleRow) []scaleRow { rows[0].Burst = 0; return rows },
		"nobody's tool":       func(rows []scaleRow) []scaleRow { rows[0].Tool = "another"; return rows },
		"one namespace costs more": func(rows []scaleRow) []scaleRow {
			one := rows[0]
			one.PerNamespace, one.RSSAnon = one.Applications, 2*one.RSSAnon
			return append(rows, one)
		},
	} {
		if unmet := unmetByScale(spoil(readScale(t))); len(unmet) == 0 {
			t.Errorf("%s: it is accepted", name)
		}
	}
}

func TestFiguresOnThePageAreThoseOfManyApplications(t *testing.T) {
	rows := readScale(t)
	var b strings.Builder
	b.WriteString("| | applications | settled | memory, anonymous | idle | ready → switched, longest | comment → switched | " +
		"at once: first, last |\n|---|---|---|---|---|---|---|---|\n")
	for _, r := range rows {
		b.WriteString(r.text())
	}
	for _, p := range peers(rows) {
		b.WriteString(p.text())
	}
	for _, r := range rows {
		i := slices.IndexFunc(rows, func(same scaleRow) bool {
			return same.ForeignPods == 0 && same.Tool == r.Tool && same.Applications == r.Applications && same.PerNamespace == r.PerNamespace &&
				same.FinishedReleases == r.FinishedReleases && same.Bare == r.Bare
		})
		if r.ForeignPods > 0 && i >= 0 {
			fmt.Fprintf(&b, "\nPods of others are in the caches, too: %d of them take %.0f MB.\n", r.ForeignPods, r.RSSAnon-rows[i].RSSAnon)
		}
	}
	generated(t, "scale.md", b.String(), scaleBench)
}

// compared are the rows of one size.
type compared struct{ turnout, peer scaleRow }

// text compares them. One release is not many at once.
func (c compared) text() string {
	what := fmt.Sprintf("%d applications", c.peer.Applications)
	if n := c.peer.FinishedReleases; n > 0 {
		what += fmt.Sprintf(" and %d releases behind each", n)
	}
	text := fmt.Sprintf("\nWith %s, Turnout needs %.2f times the anonymous memory of %s, and takes %.1f times as long from ready to switched",
		what, c.turnout.RSSAnon/c.peer.RSSAnon, c.peer.title(), c.turnout.P50/c.peer.P50)
	if c.turnout.Burst > 1 {
		text += fmt.Sprintf(" and %.1f times as long for the last of %d", c.turnout.LastS/c.peer.LastS, c.turnout.Burst)
	}
	return text + ".\n"
}

// peers are the rows of peers, each with Turnout's of the same size.
func peers(rows []scaleRow) []compared {
	var all []compared
	for _, p := range rows {
		for _, r := range rows {
			if p.Tool != r.Tool && r.Tool == "turnout" && !r.Bare && r.Applications == p.Applications && r.PerNamespace == p.PerNamespace &&
				r.FinishedReleases == p.FinishedReleases && r.ForeignPods == p.ForeignPods {
				all = append(all, compared{r, p})
			}
		}
	}
	return all
}

func TestPictureOfManyApplicationsIsOfWhatWasMeasured(t *testing.T) {
	many := slices.DeleteFunc(peers(readScale(t)), func(c compared) bool { return c.turnout.Burst < 2 })
	expectPicture(t, scalePicture, "scale.md", scaleBench, drawScale(many))
}

// drawScale draws a group of bars for each measure, and in it a pair for each size.
func drawScale(all []compared) string {
	const width, left, group, bar, full = 920, 60, 290, 18, 230
	height := 70 + len(all)*60
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="Memory, time from ready to `+
		`switched, and time until the last of many switched: Turnout beside Argo Rollouts">`+"\n", width, height)
	b.WriteString(pictureStyle)
	fmt.Fprintf(&b, `<rect class="paper" width="%d" height="%d" rx="6"/>`+"\n", width, height)
	for i, m := range []struct {
		title, unit string
		of          func(scaleRow) float64
	}{
		{"Anonymous memory", "MB", func(r scaleRow) float64 { return r.RSSAnon }},
		{"Ready → switched, median", "ms", func(r scaleRow) float64 { return r.P50 }},
		{"Released at once: the last", "s", func(r scaleRow) float64 { return r.LastS }},
	} {
		x, most := left+i*group, 0.0
		for _, c := range all {
			most = max(most, m.of(c.turnout), m.of(c.peer))
		}
		fmt.Fprintf(&b, `<text class="title" x="%d" y="30">%s</text>`+"\n", x, m.title)
		for j, c := range all {
			y := 60 + j*60
			fmt.Fprintf(&b, `<text class="small" x="%d" y="%d">%d applications</text>`+"\n", x, y-4, c.turnout.Applications)
			for k, r := range []scaleRow{c.turnout, c.peer} {
				length := 0.0
				if most > 0 {
					length = m.of(r) / most * (full - 120)
				}
				class := []string{"Pass", "None"}[k]
				fmt.Fprintf(&b, `<rect class="%s" x="%d" y="%d" width="%.1f" height="%d"/><text class="small" x="%.1f" y="%d">%s, %.3g %s</text>`+"\n",
					class, x, y+k*(bar+2), length, bar, float64(x)+length+6, y+k*(bar+2)+13, r.title(), m.of(r), m.unit)
			}
		}
	}
	b.WriteString("</svg>\n")
	return b.String()
}
