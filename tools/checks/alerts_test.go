package checks

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/promqltest"
)

// evaluated is the interval of the rules' evaluation: Prometheus's default.
const evaluated = time.Minute

// It evaluates every alert with data, in Prometheus's own engine. There is a sample a minute;
// "1x60" is 1 and 60 more of it.
func TestTheRulesFireWhenTheyShould(t *testing.T) {
	const app = `namespace="shop",application="shop",job="turnout"`
	tests := []struct {
		alert, name string
		series      []string
		at          time.Duration
		want        string // labels of the firing alert; empty: none
	}{
		{"TurnoutAbsent", "it is scraped", []string{`turnout_build_info{job="turnout",version="1"} 1x60`}, 30 * time.Minute, ""},
		{"TurnoutAbsent", "somebody else's", []string{`turnout_build_info{job="other"} 1x60`}, 30 * time.Minute, "job=turnout"},
		{"TurnoutAbsent", "for a moment", []string{`turnout_build_info{job="turnout"} 1x20 _x3 1x60`}, 24 * time.Minute, ""},
		{
			"TurnoutNoLeader", "one of two leads",
			[]string{
				`leader_election_master_status{job="turnout",name="turnout",pod="a"} 0x60`,
				`leader_election_master_status{job="turnout",name="turnout",pod="b"} 1x60`,
			},
			30 * time.Minute, "",
		},
		{
			"TurnoutNoLeader", "none does",
			[]string{`leader_election_master_status{job="turnout",name="turnout",pod="a"} 0x60`},
			30 * time.Minute,
			"{}",
		},
		{
			"TurnoutReleaseStuck", "a build of 70 minutes",
			[]string{`turnout_active_step_seconds{` + app + `,step="build"} 0+60x90`},
			70 * time.Minute, "application=shop,namespace=shop,step=build",
		},
		{
			"TurnoutReleaseStuck", "a build of 50 minutes",
			[]string{`turnout_active_step_seconds{` + app + `,step="build"} 0+60x90`},
			50 * time.Minute, "",
		},
		{
			"TurnoutReleaseStuck", "a soak of a day",
			[]string{`turnout_active_step_seconds{` + app + `,step="soak"} 80000x90`},
			80 * time.Minute,
			"",
		},
		{
			"TurnoutReleaseStuck", "nobody promotes",
			[]string{`turnout_active_step_seconds{` + app + `,step="promote"} 80000x90`},
			80 * time.Minute,
			"",
		},
		{
			"TurnoutQueueOld", "three hours",
			[]string{`turnout_queue_oldest_seconds{` + app + `} 10800x60`, `turnout_application_locked{` + app + `} 0x60`},
			30 * time.Minute,
			"application=shop,namespace=shop",
		},
		{
			"TurnoutQueueOld", "behind a lock",
			[]string{`turnout_queue_oldest_seconds{` + app + `} 10800x60`, `turnout_application_locked{` + app + `} 1x60`},
			30 * time.Minute, "",
		},
		{
			"TurnoutApplicationBlocked", "on one replica of two, as it is read",
			[]string{`turnout_application_ready{` + app + `,pod="a"} 0x60`, `turnout_application_ready{` + app + `,pod="b"} 0x60`},
			30 * time.Minute,
			"application=shop,namespace=shop",
		},
		{"TurnoutApplicationBlocked", "for ten minutes", []string{`turnout_application_ready{` + app + `} 1x20 0x10 1x60`}, 30 * time.Minute, ""},
		{
			"TurnoutLocked", "for a day",
			[]string{`turnout_application_locked{` + app + `} 1x1600`},
			25 * time.Hour,
			"application=shop,namespace=shop",
		},
		{"TurnoutLocked", "for an hour", []string{`turnout_application_locked{` + app + `} 0x1440 1x100`}, 25 * time.Hour, ""},
		{
			"TurnoutSwitchUnconfirmed", "for half an hour",
			[]string{`turnout_switch_unconfirmed{` + app + `} 0x10 1x60`},
			40 * time.Minute,
			"application=shop,namespace=shop",
		},
		{
			"TurnoutSwitchUnconfirmed", "until it was seen",
			[]string{`turnout_switch_unconfirmed{` + app + `} 0x10 1x10 0x60`},
			40 * time.Minute,
			"",
		},
		{
			"TurnoutLiveSuffers", "as soon as it is known",
			[]string{`turnout_live_suffers{` + app + `} 0x10 1x10`},
			12 * time.Minute,
			"application=shop,namespace=shop",
		},
		{
			"TurnoutLiveSuffers", "no more once it is well",
			[]string{`turnout_live_suffers{` + app + `} 1x10 0x10`},
			15 * time.Minute,
			"",
		},
		{
			"TurnoutReleaseError", "the first there ever was",
			[]string{`turnout_releases_total{` + app + `,kind="Deploy",phase="Error"} _x20 1x60`},
			25 * time.Minute, "application=shop,namespace=shop",
		},
		{
			"TurnoutReleaseError", "one more",
			[]string{`turnout_releases_total{` + app + `,kind="Deploy",phase="Error"} 3x20 4x60`},
			25 * time.Minute, "application=shop,namespace=shop",
		},
		{
			"TurnoutReleaseError", "long ago",
			[]string{`turnout_releases_total{` + app + `,kind="Deploy",phase="Error"} _x5 1x60`},
			40 * time.Minute, "",
		},
		{
			"TurnoutReleaseError", "it failed by its own fault",
			[]string{`turnout_releases_total{` + app + `,kind="Deploy",phase="Failed"} 3x20 4x60`},
			25 * time.Minute, "",
		},
		{
			"TurnoutRestored", "the first there ever was",
			[]string{`turnout_switches_total{` + app + `,kind="Restore"} _x20 1x60`},
			25 * time.Minute, "application=shop,namespace=shop",
		},
		{"TurnoutRestored", "by a person", []string{`turnout_switches_total{` + app + `,kind="Rollback"} 1x20 2x60`}, 25 * time.Minute, ""},
		{
			"TurnoutWebhookErrors", "some for 15 minutes",
			[]string{`turnout_webhooks_total{job="turnout",event="push",status="503"} 0x10 1+1x60`},
			40 * time.Minute, "{}",
		},
		{
			"TurnoutWebhookErrors", "all are taken",
			[]string{`turnout_webhooks_total{job="turnout",event="push",status="202"} 0+5x60`},
			40 * time.Minute, "",
		},
		{
			"TurnoutDeliveryLost", "the first there ever was",
			[]string{`turnout_deliveries_total{job="turnout",phase="Quarantined"} _x20 1x60`},
			25 * time.Minute, "phase=Quarantined",
		},
		{
			"TurnoutDeliveryLost", "one more",
			[]string{`turnout_deliveries_total{job="turnout",phase="GaveUp"} 3x20 4x60`},
			25 * time.Minute,
			"phase=GaveUp",
		},
		{"TurnoutDeliveryLost", "all are handled", []string{`turnout_deliveries_total{job="turnout",phase="Done"} 0+5x60`}, 40 * time.Minute, ""},
		{
			"TurnoutPanic", "one",
			[]string{`controller_runtime_reconcile_panics_total{job="turnout",controller="publish"} 0x20 1x60`},
			25 * time.Minute, "controller=publish",
		},
		{
			"TurnoutPanic", "none",
			[]string{`controller_runtime_reconcile_panics_total{job="turnout",controller="publish"} 0x60`},
			25 * time.Minute,
			"",
		},
		{
			"TurnoutWebhookSignatures", "many",
			[]string{`turnout_webhooks_total{job="turnout",event="",status="401"} 0+1x60`},
			40 * time.Minute,
			"{}",
		},
		{
			"TurnoutWebhookSignatures", "two",
			[]string{`turnout_webhooks_total{job="turnout",event="",status="401"} 0x20 2x60`},
			40 * time.Minute,
			"",
		},
		{
			"TurnoutGitHubLimitLow", "a tenth",
			[]string{
				`turnout_github_rate_limit_remaining{job="turnout",resource="core"} 400x60`,
				`turnout_github_rate_limit_limit{job="turnout",resource="core"} 5000x60`,
			},
			30 * time.Minute, "resource=core",
		},
		{
			"TurnoutGitHubLimitLow", "plenty",
			[]string{
				`turnout_github_rate_limit_remaining{job="turnout",resource="core"} 4000x60`,
				`turnout_github_rate_limit_limit{job="turnout",resource="core"} 5000x60`,
			},
			30 * time.Minute, "",
		},
		{
			"TurnoutGitHubErrors", "half of them",
			[]string{
				`turnout_github_requests_total{job="turnout",method="GET",status="200"} 0+5x60`,
				`turnout_github_requests_total{job="turnout",method="GET",status="error"} 0+5x60`,
			},
			40 * time.Minute, "{}",
		},
		{
			"TurnoutGitHubErrors", "refusals are answers",
			[]string{`turnout_github_requests_total{job="turnout",method="GET",status="404"} 0+5x60`},
			40 * time.Minute, "",
		},
		{
			"TurnoutCloudBuildErrors", "no permission",
			[]string{`turnout_cloudbuild_requests_total{job="turnout",method="CreateBuild",code="PermissionDenied"} 0+1x60`},
			40 * time.Minute,
			"{}",
		},
		{
			"TurnoutCloudBuildErrors", "not found is an answer",
			[]string{`turnout_cloudbuild_requests_total{job="turnout",method="GetBuild",code="NotFound"} 0+1x60`},
			40 * time.Minute, "",
		},
		{
			"TurnoutKubernetesErrors", "a third",
			[]string{
				`rest_client_requests_total{job="turnout",code="200"} 0+2x60`,
				`rest_client_requests_total{job="turnout",code="<error>"} 0+1x60`,
			},
			40 * time.Minute, "{}",
		},
		{
			"TurnoutKubernetesErrors", "another program's",
			[]string{`rest_client_requests_total{job="turnout",code="200"} 0+2x60`, `rest_client_requests_total{job="apiserver",code="500"} 0+9x60`},
			40 * time.Minute, "",
		},
	}
	rules := alerts(t)
	tried := map[string]map[bool]bool{}
	for _, tt := range tests {
		t.Run(tt.alert+", "+tt.name, func(t *testing.T) {
			got := firing(t, rules[tt.alert], tt.series, tt.at)
			if diff := cmp.Diff(tt.want, strings.Join(got, "; ")); diff != "" {
				t.Errorf("firing after %s (-want +got):\n%s", tt.at, diff)
			}
		})
		if tried[tt.alert] == nil {
			tried[tt.alert] = map[bool]bool{}
		}
		tried[tt.alert][tt.want != ""] = true
	}
	for name := range rules {
		if len(tried[name]) != 2 {
			t.Errorf("%s is not seen both firing and quiet", name)
		}
	}
}

// alerts are the rules by name.
func alerts(t *testing.T) map[string]rulefmt.Rule {
	t.Helper()
	groups, problems := rulefmt.ParseFile(monitoring+"rules.yaml", false, model.UTF8Validation)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	all := map[string]rulefmt.Rule{}
	for _, g := range groups.Groups {
		for _, r := range g.Rules {
			all[r.Alert] = r
		}
	}
	return all
}

// firing returns the labels of the alerts that fire at a time: series that the rule has selected
// at every evaluation for its duration.
func firing(t *testing.T, rule rulefmt.Rule, series []string, at time.Duration) []string {
	t.Helper()
	storage := promqltest.LoadedStorage(t, "load 1m\n  "+strings.Join(series, "\n  ")+"\n")
	defer func() { _ = storage.Close() }()
	engine := promqltest.NewTestEngine(t, false, 0, promqltest.DefaultMaxSamplesPerQuery)
	end, held := time.Unix(0, 0).Add(at), time.Duration(rule.For)
	query, err := engine.NewRangeQuery(t.Context(), storage, nil, rule.Expr, end.Add(-held), end, evaluated)
	if err != nil {
		t.Fatal(err)
	}
	defer query.Close()
	matrix, err := query.Exec(t.Context()).Matrix()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, s := range matrix {
		if len(s.Floats) == int(held/evaluated)+1 {
			names[labelsOf(s)] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

func labelsOf(s promql.Series) string {
	var pairs []string
	for name, value := range s.Metric.Map() {
		pairs = append(pairs, name+"="+value)
	}
	if len(pairs) == 0 {
		return "{}"
	}
	slices.Sort(pairs)
	return strings.Join(pairs, ",")
}
