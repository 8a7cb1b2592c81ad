package checks

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

const monitoring = project + "/config/monitoring/"

// known are the metrics of docs/metrics.md with their labels; a test of
// cmd/turnout holds that page against the code.
func known(t *testing.T) map[string][]string {
	t.Helper()
	row := regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| (?:(counter|gauge|histogram) \\| )?((?:`\\w+`(?:, )?)*)\\s*\\| ")
	found := map[string][]string{}
	for _, m := range row.FindAllStringSubmatch(read(t, project+"/docs/metrics.md"), -1) {
		names := regexp.MustCompile(`\w+`).FindAllString(m[3], -1)
		found[m[1]] = names
		if m[2] == "histogram" {
			delete(found, m[1])
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				found[m[1]+suffix] = append([]string{"le"}, names...)
			}
		}
	}
	if len(found) < 15 {
		t.Fatalf("docs/metrics.md lists only %d metrics", len(found))
	}
	return found
}

// selected checks an expression and returns the metrics that it reads.
func selected(t *testing.T, where, expr string, metrics map[string][]string) []string {
	t.Helper()
	tree, err := parser.ParseExpr(expr)
	if err != nil {
		t.Errorf("%s: %v in %s", where, err, expr)
		return nil
	}
	var names []string
	parser.Inspect(tree, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.VectorSelector:
			names = append(names, n.Name)
			for _, problem := range selector(n, metrics) {
				t.Errorf("%s: %s in %s", where, problem, expr)
			}
		case *parser.AggregateExpr:
			for _, label := range n.Grouping {
				if !anyHas(n.Expr, label, metrics) {
					t.Errorf("%s: no metric has the label %s in %s", where, label, expr)
				}
			}
		}
		return nil
	})
	return names
}

// target are the labels that Prometheus itself adds.
var target = []string{"job", "instance", "pod"}

// selector reports what is wrong with the selection of a metric.
func selector(n *parser.VectorSelector, metrics map[string][]string) []string {
	has, ok := metrics[n.Name]
	if !ok {
		return []string{fmt.Sprintf("docs/metrics.md does not list %q", n.Name)}
	}
	var problems []string
	job := strings.HasPrefix(n.Name, "turnout_")
	for _, m := range n.LabelMatchers {
		if m.Name != model.MetricNameLabel && !slices.Contains(has, m.Name) && !slices.Contains(target, m.Name) {
			problems = append(problems, fmt.Sprintf("%s has no label %q", n.Name, m.Name))
		}
		job = job || m.Name == "job" && m.Value == "turnout"
	}
	if !job {
		problems = append(problems, n.Name+" is everybody's: it needs job=\"turnout\"")
	}
	return problems
}

func anyHas(expr parser.Expr, label string, metrics map[string][]string) bool {
	found := false
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		if n, ok := node.(*parser.VectorSelector); ok && slices.Contains(append(metrics[n.Name], target...), label) {
			found = true
		}
		return nil
	})
	return found
}

func TestTheRulesAreOnesThatPrometheusLoads(t *testing.T) {
	groups, problems := rulefmt.ParseFile(monitoring+"rules.yaml", false, model.UTF8Validation)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	metrics, page := known(t), read(t, project+"/docs/metrics.md")
	alerts := map[string]bool{}
	for _, g := range groups.Groups {
		for _, r := range g.Rules {
			alerts[r.Alert] = true
			selected(t, r.Alert, r.Expr, metrics)
			if !slices.Contains([]string{"critical", "warning", "info"}, r.Labels["severity"]) {
				t.Errorf("%s has the severity %q", r.Alert, r.Labels["severity"])
			}
			if r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
				t.Errorf("%s needs a summary and a description", r.Alert)
			}
			file, anchor, _ := strings.Cut(r.Annotations["runbook_url"], "#")
			if !strings.HasSuffix(file, "/docs/metrics.md") || anchor != strings.ToLower(r.Alert) || !strings.Contains(page, "\n### "+r.Alert+"\n") {
				t.Errorf("%s: docs/metrics.md has no heading for %s", r.Alert, r.Annotations["runbook_url"])
			}
		}
	}
	headings := regexp.MustCompile(`(?m)^### (Turnout\w+)$`).FindAllStringSubmatch(page, -1)
	if len(headings) != len(alerts) || len(alerts) < 8 {
		t.Errorf("docs/metrics.md explains %d alerts, want %d", len(headings), len(alerts))
	}
}

// dashboard is the part of Grafana's format (Grafana docs, "Dashboard JSON model") that a file
// needs to be importable.
type dashboard struct {
	UID, Title    string
	SchemaVersion int
	Templating    struct {
		List []struct {
			Name, Type string
			Datasource struct{ UID string }
		}
	}
	Panels []panel
}

type panel struct {
	ID                       int
	Type, Title, Description string
	Datasource               struct{ Type, UID string }
	GridPos                  struct{ H, W, X, Y int }
	Targets                  []struct {
		RefID, Expr, LegendFormat string
		Datasource                struct{ Type, UID string }
	}
}

// asPrometheus fills in the variables that Grafana would.
var asPrometheus = strings.NewReplacer("$__rate_interval", "5m", "$namespace", ".*", "$application", ".*")

func TestTheDashboardShowsEveryMetricThatThereIs(t *testing.T) {
	var d dashboard
	if err := json.Unmarshal([]byte(read(t, monitoring+"dashboard.json")), &d); err != nil {
		t.Fatal(err)
	}
	if d.UID == "" || d.Title == "" || d.SchemaVersion == 0 || len(d.Panels) < 10 {
		t.Errorf("it is %s, %s, version %d with %d panels", d.UID, d.Title, d.SchemaVersion, len(d.Panels))
	}
	if len(d.Templating.List) == 0 || d.Templating.List[0].Name != "datasource" || d.Templating.List[0].Type != "datasource" {
		t.Errorf("its first variable must choose the data source: %+v", d.Templating.List)
	}
	for _, v := range d.Templating.List[1:] {
		if v.Datasource.UID != "${datasource}" {
			t.Errorf("the variable %s does not ask the chosen data source", v.Name)
		}
	}
	metrics, shown, ids := known(t), map[string]bool{}, map[int]bool{}
	for _, p := range d.Panels {
		if ids[p.ID] {
			t.Errorf("two panels have the id %d", p.ID)
		}
		ids[p.ID] = true
		for _, name := range p.check(t, metrics) {
			shown[name] = true
		}
	}
	d.overlaps(t)
	for name := range metrics {
		if !shown[name] && !strings.HasSuffix(name, "_sum") && !strings.HasSuffix(name, "_count") {
			t.Errorf("no panel shows %s", name)
		}
	}
}

// check returns the metrics that a panel shows.
func (p panel) check(t *testing.T, metrics map[string][]string) []string {
	t.Helper()
	if p.Type == "row" {
		return nil
	}
	if p.Title == "" || p.Description == "" || len(p.Targets) == 0 || p.Datasource.UID != "${datasource}" {
		t.Errorf("panel %d, %q, needs a title, a description, a query and the chosen data source", p.ID, p.Title)
	}
	var names []string
	for _, q := range p.Targets {
		if q.Datasource.UID != "${datasource}" {
			t.Errorf("%s: query %s does not ask the chosen data source", p.Title, q.RefID)
		}
		names = append(names, selected(t, p.Title, asPrometheus.Replace(q.Expr), metrics)...)
		for _, label := range regexp.MustCompile(`\{\{(\w+)\}\}`).FindAllStringSubmatch(q.LegendFormat, -1) {
			tree, err := parser.ParseExpr(asPrometheus.Replace(q.Expr))
			if err == nil && !anyHas(tree, label[1], metrics) {
				t.Errorf("%s: the legend names %s, which no metric has", p.Title, label[1])
			}
		}
	}
	return names
}

func (d dashboard) overlaps(t *testing.T) {
	t.Helper()
	for i, a := range d.Panels {
		for _, b := range d.Panels[i+1:] {
			p, q := a.GridPos, b.GridPos
			if p.X < q.X+q.W && q.X < p.X+p.W && p.Y < q.Y+q.H && q.Y < p.Y+p.H {
				t.Errorf("panels %q and %q overlap", a.Title, b.Title)
			}
		}
		if a.GridPos.X+a.GridPos.W > 24 {
			t.Errorf("panel %q is wider than the grid of 24", a.Title)
		}
	}
}

func TestAnExpressionWithAMistakeIsFound(t *testing.T) {
	metrics := known(t)
	for expr, want := range map[string]string{
		`turnout_release_total`:              "does not list",
		`turnout_releases_total{app="shop"}`: "has no label",
		`rest_client_requests_total`:         `needs job="turnout"`,
	} {
		tree, err := parser.ParseExpr(expr)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(selector(tree.(*parser.VectorSelector), metrics), "; "); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", expr, got, want)
		}
	}
}
