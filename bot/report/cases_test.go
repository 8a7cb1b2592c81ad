package report_test

import (
	"maps"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/bottest"
)

// overtaken is superseded by a release.
func overtaken(by *v1alpha1.Release) bottest.Case {
	superseded := bottest.Fails(v1alpha1.FaultSuperseded, "", "Superseded", "superseded by "+by.Name)
	return bottest.Reported(superseded, bottest.About(v1alpha1.SupersededByNewer, by.Name, ""), func(r *v1alpha1.Release) {
		r.Status.Phase, r.Status.SupersededBy, r.Status.FinishedAt = v1alpha1.ReleaseSuperseded, by.Name, bottest.At(20)
	}).Among(by)
}

func crashed(r *v1alpha1.Release) {
	exit := int32(1)
	bottest.Built(r)
	bottest.TookSteps(bottest.Entry(v1alpha1.StepStage, 73, 80, "container app ends as soon as it starts"))(r)
	bottest.Fails(v1alpha1.FaultRelease, v1alpha1.StepStage, "CrashLoopBackOff",
		"container app of deployment shop-green ends with exit code 1 as soon as it starts")(r)
	r.Status.Failure.Evidence = []v1alpha1.Evidence{{
		Pod: "shop-green-5d9", Container: "app", Reason: "CrashLoopBackOff", ExitCode: &exit,
		Log: "Traceback (most recent call last):\n  File \"app.py\", line 1\nModuleNotFoundError: No module named 'flask'\n",
	}}
}

// measured has metrics that got worse after the switch.
func measured(r *v1alpha1.Release) {
	of := func(value, samples v1alpha1.Number, verdict v1alpha1.Verdict) v1alpha1.CheckPoint {
		return v1alpha1.CheckPoint{Value: value, Samples: samples, Verdict: verdict}
	}
	before := of("0", "110", "")
	r.Status.Analysis = &v1alpha1.AnalysisStatus{Mode: v1alpha1.AnalysisEnforce, BeforeKnown: true, Checks: []v1alpha1.CheckStatus{
		{
			Name: "errors", Failures: 2, Failed: 2, Verdicts: 3, Other: &before, Points: []v1alpha1.CheckPoint{
				of("1", "120", v1alpha1.VerdictPass), of("", "", v1alpha1.VerdictNone), of("28", "101", v1alpha1.VerdictFail),
				of("31", "105", v1alpha1.VerdictFail),
			},
		},
		{
			Name: "latency", Pass: "value <= other * 1.5 || value < 100.0", Failures: 2, Verdicts: 1,
			Points: []v1alpha1.CheckPoint{of("48.123456", "105", v1alpha1.VerdictPass)},
		},
		{Name: "not-asked", Failures: 2},
	}}
}

// hostile has what somebody might write to break out of a comment.
func hostile(r *v1alpha1.Release) {
	bottest.Verified(r)
	bottest.Fails(v1alpha1.FaultRelease, v1alpha1.StepVerify, "Gate|<b>",
		"GET /healthz: 500 @acme/admins #1 ![x](https://evil.example/a.png) </details> <script>alert(1)</script> `code` | cell\n\n# heading")(r)
	bottest.Ends(v1alpha1.ReleaseFailed, 152)(r)
	r.Spec.Cause.Actor = "ada</summary>@everyone"
	r.Status.Failure.File = "x](javascript:alert(1))`</details>@root"
	r.Status.Failure.Evidence = []v1alpha1.Evidence{{
		Pod: "p</summary></details>@root", Request: "GET /`healthz`",
		Message: "*bold* _it_ ~~no~~ [a](javascript:alert(1)) GH-12 www.evil.example",
		Body:    "```\n</details>\n@everyone\n````\n# out", Log: "\x1b[31mred\x1b[0m\n`````````\n</details>\n@root \u202eevil\n",
	}}
	r.Status.Timeline[4].Message = "| a | `b` \\| @root"
	r.Status.Timeline[4].URL = "javascript:alert(1)"
	r.Status.Drift = "-a: 1\n+```\n+</details>\n+@root\n"
	r.Status.Findings = []v1alpha1.Advice{v1alpha1.Advise("</details>\n- @root")}
}

// expanded ran a migration before its pods started.
func expanded(r *v1alpha1.Release) {
	at := slices.IndexFunc(r.Status.Timeline, func(e v1alpha1.TimelineEntry) bool { return e.Step == v1alpha1.StepAttach })
	r.Status.Timeline = slices.Insert(r.Status.Timeline, at, bottest.Entry(v1alpha1.StepExpand, 70, 73, "the schema has what 1b1b1b1 needs"))
}

// owesContract: the contract is run after the hold.
func owesContract(c *bottest.Case) {
	c.App.Spec.Migrations = &v1alpha1.MigrationsSpec{Contract: &v1alpha1.ContractSpec{When: v1alpha1.ContractAfterHold}}
	c.App.Status.LastSwitch = &v1alpha1.SwitchRecord{UID: string(c.Rel.UID), Kind: "Deploy", At: *bottest.At(154)}
	c.App.Status.Schema = &v1alpha1.SchemaStatus{
		State: v1alpha1.SchemaPending,
		Expanded: []v1alpha1.SchemaChange{
			{Release: c.Rel.Name, Commit: c.Rel.Spec.Deploy.Commit, At: *bottest.At(73), Outcome: v1alpha1.MigrationChanged},
		},
		Pending: &v1alpha1.PendingContract{Release: c.Rel.Name, Commit: c.Rel.Spec.Deploy.Commit},
	}
}

// migratedSince: another release has changed the schema, and did not move users.
func migratedSince(c *bottest.Case) {
	c.App.Status.LastSwitch = &v1alpha1.SwitchRecord{UID: string(c.Rel.UID), Kind: "Deploy", At: *bottest.At(154)}
	c.App.Status.Schema = &v1alpha1.SchemaStatus{
		State:    v1alpha1.SchemaOpen,
		Expanded: []v1alpha1.SchemaChange{{Release: "shop-b0b0b0b0b0b0-1", At: *bottest.At(400), Outcome: v1alpha1.MigrationChanged}},
	}
}

// reports has every state of a comment, one golden file each.
func reports() map[string]bottest.Case {
	newer := bottest.DeployOf(bottest.LaterCommit, 1)
	acting := bottest.DeployOf(bottest.LaterCommit, 1)
	bottest.Claimed(acting)
	failing := bottest.DeployOf(bottest.LaterCommit, 1)
	crashed(failing)
	bottest.Ends(v1alpha1.ReleaseFailed, 90)(failing)
	chained := bottest.DeployOf(bottest.LaterCommit, 1)
	shipped := bottest.SucceededAt("3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d", 200)
	bottest.Fails(v1alpha1.FaultSuperseded, "", "Superseded", "superseded by "+shipped.Name)(chained)
	bottest.About(v1alpha1.SupersededByNewer, shipped.Name, "")(chained)
	chained.Status.Phase, chained.Status.SupersededBy = v1alpha1.ReleaseSuperseded, shipped.Name
	rollback := bottest.GoesBack(bottest.ComesBack).Rel
	rollback.Spec.Rollback.From.Commit, rollback.Spec.Rollback.To.Commit = bottest.LaterCommit, bottest.NewCommit
	rollback.Spec.Rollback.To.Release = bottest.DeployOf(bottest.NewCommit, 1).Name

	over := bottest.DeployOf(bottest.LaterCommit, 1)
	bottest.Claimed(over)
	over.Status.Milestones.Target = v1alpha1.Blue
	over.Status.Timeline = append(over.Status.Timeline, bottest.Entry(v1alpha1.StepStage, 500, 0, ""))
	locked := bottest.DeployOf(bottest.LaterCommit, 1)
	behindLock := bottest.LockedBy("Black Friday")
	leftInSoak := []bottest.Happening{
		bottest.Confirmed, bottest.Ends("", 178),
		bottest.Fails(v1alpha1.FaultSuperseded, v1alpha1.StepSoak, "RolledBack", "gives way to shop-rollback-1a2b3c4d5e"),
		bottest.About("", "shop-rollback-1a2b3c4d5e", ""), bottest.Ends(v1alpha1.ReleaseSuperseded, 178),
	}
	away := bottest.GoesBack(bottest.ComesBack).Rel
	shown := func(p v1alpha1.ProofStatus) bottest.Case {
		return bottest.Reported(bottest.Confirmed, bottest.Proves(p), bottest.Ends(v1alpha1.ReleaseSucceeded, 454))
	}

	left := bottest.GoesBack(bottest.ComesBack).Rel
	left.Name = "shop-rollback-1a2b3c4d5e"

	cases := map[string]bottest.Case{
		"queued": bottest.Reported(),
		"queued-behind-another": bottest.Reported(bottest.RestsOn(v1alpha1.Waiting{For: v1alpha1.WaitsForTurn, Release: newer.Name})).
			Among(acting),
		"queued-blocked": bottest.Reported(bottest.RestsOn(v1alpha1.Waiting{
			For: v1alpha1.WaitsForApplication, Because: "DeploymentMissing",
			Detail: "deployment shop-blue, the live blue side, does not exist in namespace shop: create it, or name another in " +
				"spec.blue.deployment",
		})).With(func(c *bottest.Case) {
			c.App.Status.Conditions = []metav1.Condition{{
				Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse,
				Reason: v1alpha1.ReasonDeploymentMissing,
			}}
		}),
		"queued-locked": bottest.Reported(bottest.RestsOn(v1alpha1.Waiting{
			For: v1alpha1.WaitsForLock, By: "wanda", Since: bottest.At(-600), Detail: "Black Friday, nobody @deploys",
		})).With(bottest.LockedBy("Black Friday, nobody @deploys")),
		"building-queued": bottest.Reported(bottest.Claimed),
		"building-locked": bottest.Reported(bottest.Building).With(bottest.LockedBy("Black Friday")),
		"building":        bottest.Reported(bottest.Building, func(r *v1alpha1.Release) { r.Status.Build.Retries = 1 }),
		"running": bottest.Reported(bottest.Built, bottest.TookSteps(bottest.Entry(v1alpha1.StepStage, 73, 0, "1 of 3 pods ready")),
			func(r *v1alpha1.Release) {
				r.Status.Build.Retries = 2
				r.Status.Drift = "-        memory: 256Mi\n+        memory: 512Mi\n"
			}),
		"waiting": bottest.Reported(bottest.Manual()).
			With(func(c *bottest.Case) {
				c.App.Spec.Promotion = v1alpha1.PromotionSpec{Mode: v1alpha1.PromotionManual, Timeout: metav1.Duration{Duration: 24 * time.Hour}}
			}),
		"waiting-rolled-back": bottest.Reported(bottest.Waits(v1alpha1.Waiting{
			For: v1alpha1.WaitsForApproval, Because: v1alpha1.BecauseRolledBack, By: "wanda", Release: left.Name,
			Commit: strings.Repeat("0c", 20), Since: &metav1.Time{Time: time.Date(2026, 11, 21, 16, 20, 0, 0, time.UTC)},
		})).Among(left),
		"waiting-locked": bottest.Reported(bottest.Waits(v1alpha1.Waiting{
			For: v1alpha1.WaitsForLock, By: "wanda",
			Since: bottest.At(-600),
		})).With(bottest.LockedBy("")),
		"shifting": bottest.Reported(bottest.Divides(5, 25), bottest.RestsOn(v1alpha1.Waiting{
			For: v1alpha1.WaitsForShift, Done: 25, Of: 100, Until: bottest.At(900),
		})),
		"shifting-waiting": bottest.Reported(bottest.Divides(5, 25), func(r *v1alpha1.Release) {
			r.Status.Phase = v1alpha1.ReleaseWaiting
			r.Spec.Promotions = []v1alpha1.Promotion{{
				Weight: 25, By: "wanda", At: *bottest.At(200),
				Cause: v1alpha1.Cause{Kind: v1alpha1.CauseComment},
			}}
		}, bottest.RestsOn(v1alpha1.Waiting{
			For: v1alpha1.WaitsForApproval, Because: v1alpha1.BecauseStep, Done: 25, Of: 100, Until: bottest.At(86400),
		})),
		"withdrawing": bottest.Reported(bottest.Divides(5, 25, 0),
			bottest.Fails(v1alpha1.FaultRelease, v1alpha1.StepShift, "CrashLoop", "containers of shop-green were restarted 2 times"),
			bottest.RestsOn(v1alpha1.Waiting{For: v1alpha1.WaitsForDrain, Because: v1alpha1.BecauseWithdraw, Until: bottest.At(700)})),
		"withdrawn": bottest.Reported(bottest.Divides(5, 25, 0),
			bottest.Fails(v1alpha1.FaultRelease, v1alpha1.StepShift, "CrashLoop", "containers of shop-green were restarted 2 times"),
			func(r *v1alpha1.Release) { r.Status.Milestones.WithdrawnAt = bottest.At(700) }, bottest.Ends(v1alpha1.ReleaseFailed, 701)),
		"divided-by-others": bottest.Reported(bottest.Divides(5, 25),
			bottest.Fails(v1alpha1.FaultInterference, v1alpha1.StepShift, "Interference", "httproute shop was given other weights by someone else"),
			bottest.Ends(v1alpha1.ReleaseError, 400)).With(func(c *bottest.Case) {
			from := v1alpha1.Version{Color: v1alpha1.Green, Commit: bottest.NewCommit, Release: c.Rel.Name}
			c.App.Status.Mixed = &v1alpha1.MixedStatus{
				Back: &v1alpha1.RollbackSpec{From: from, To: *c.Rel.Status.Milestones.Previous, Switch: "uid-new"},
			}
		}),
		"switching": bottest.Reported(bottest.Verified, bottest.TookSteps(bottest.Entry(v1alpha1.StepSwitch, 151, 0, "")),
			func(r *v1alpha1.Release) {
				r.Status.Milestones.SwitchIntendedAt = bottest.At(151)
			}),
		"confirming": bottest.Reported(bottest.Switched,
			bottest.TookSteps(bottest.Entry(v1alpha1.StepConfirm, 152, 0, "asks https://shop.example.com: 200"))),
		"metrics-failed": bottest.Reported(bottest.Confirmed, measured,
			bottest.Fails(v1alpha1.FaultRelease, v1alpha1.StepSoak, "CheckFailed",
				"check errors failed 2 times in a row: 31 of 105 were errors in its last window, and 0 of 110 in the one before the switch"),
			bottest.Ends(v1alpha1.ReleaseFailed, 400)),
		"soaking": bottest.Reported(bottest.Confirmed),
		"soaking-extended": bottest.Reported(bottest.Confirmed, func(r *v1alpha1.Release) {
			since := metav1.NewMicroTime(bottest.At(430).Time)
			r.Status.Soak = &v1alpha1.SoakStatus{Extended: 1, UnseenSince: &since}
		}),
		"undoing": bottest.Reported(crashed, bottest.TookSteps(bottest.Entry(v1alpha1.StepDiscard, 80, 0, "sizing shop-green to 0"))),
		"succeeded": bottest.Reported(bottest.Confirmed, bottest.Ends(v1alpha1.ReleaseSucceeded, 454), func(r *v1alpha1.Release) {
			r.Spec.Approval = &v1alpha1.Approval{
				By:    "wanda",
				Cause: v1alpha1.Cause{Kind: v1alpha1.CauseComment, URL: "https://github.com/acme/shop/pull/7#issuecomment-2"},
			}
			r.Status.Findings = []v1alpha1.Advice{v1alpha1.Advise("no gate is configured: the readiness probe's path /healthz was asked instead")}
		}),
		"succeeded-from-nothing": bottest.Reported(bottest.Confirmed, bottest.Ends(v1alpha1.ReleaseSucceeded, 454), func(r *v1alpha1.Release) {
			r.Status.Milestones.Previous.Replicas = 0
		}).With(func(c *bottest.Case) {
			c.App.Status.WayBack = &v1alpha1.WayBack{
				Color: v1alpha1.Blue, Needed: 3,
				Missing: "service shop-blue has fewer ready endpoints of it than users need",
			}
		}),
		"succeeded-on-google": bottest.Reported(bottest.Confirmed, bottest.Ends(v1alpha1.ReleaseSucceeded, 454), func(r *v1alpha1.Release) {
			r.Status.Route = &v1alpha1.RouteStatus{LoadBalancer: v1alpha1.LoadBalancerGCE}
		}),
		"succeeded-hold-over": bottest.Reported(bottest.Confirmed, bottest.Ends(v1alpha1.ReleaseSucceeded, 454)).With(func(c *bottest.Case) {
			c.App.Status.WayBack = &v1alpha1.WayBack{
				Color: v1alpha1.Blue, Needed: 3,
				Missing: "service shop-blue has fewer ready endpoints of it than users need",
			}
			c.App.Status.LastSwitch = &v1alpha1.SwitchRecord{UID: string(c.Rel.UID), Shrunk: true}
		}),
		"succeeded-with-migrations": bottest.Reported(bottest.Confirmed, expanded,
			bottest.Ends(v1alpha1.ReleaseSucceeded, 454)).With(owesContract),
		"succeeded-then-migrated": bottest.Reported(bottest.Confirmed, bottest.Ends(v1alpha1.ReleaseSucceeded, 454)).With(migratedSince),
		"succeeded-then-replaced": bottest.Reported(bottest.Confirmed,
			bottest.Ends(v1alpha1.ReleaseSucceeded, 454)).Among(bottest.SucceededAt(bottest.LaterCommit, 900)),
		"succeeded-then-brought-back": bottest.Reported(bottest.Confirmed,
			bottest.Ends(v1alpha1.ReleaseSucceeded, 454)).Among(bottest.SucceededAt(bottest.LaterCommit, 500), rollback),
		"build-config": bottest.Reported(bottest.Claimed,
			bottest.Fails(v1alpha1.FaultRelease, v1alpha1.StepBuild, "BuildConfig", "cloudbuild.yaml: unknown field \"stpes\""),
			bottest.Ends(v1alpha1.ReleaseFailed, 3), func(r *v1alpha1.Release) {
				r.Status.Build, r.Status.Timeline[0].Message = nil, ""
				r.Status.Failure.File, r.Status.Failure.Line = "deploy/cloudbuild.yaml", 12
			}),
		"build-failed": bottest.Reported(bottest.Building,
			bottest.Fails(v1alpha1.FaultRelease, v1alpha1.StepBuild, "BuildFailed",
				"build step 0 \"gcr.io/cloud-builders/docker\" failed: exit status 1"),
			bottest.Ends(v1alpha1.ReleaseFailed, 40)),
		"crashed": bottest.Reported(crashed, bottest.TookSteps(bottest.Entry(v1alpha1.StepDiscard, 80, 82, "")),
			bottest.Ends(v1alpha1.ReleaseFailed, 82)),
		"gate": bottest.Reported(bottest.Verified,
			bottest.Fails(v1alpha1.FaultRelease, v1alpha1.StepVerify, "Gate",
				"GET /healthz on port 8080 of pod shop-green-5d9 answered 503 Service Unavailable, want 200"),
			func(r *v1alpha1.Release) {
				r.Status.Failure.Evidence = []v1alpha1.Evidence{{
					Pod: "shop-green-5d9", Request: "GET /healthz on port 8080",
					Message: "503 Service Unavailable, want 200", Body: "degraded: DATABASE_URL is not set",
				}}
			}, bottest.TookSteps(bottest.Entry(v1alpha1.StepDiscard, 151, 153, "")), bottest.Ends(v1alpha1.ReleaseFailed, 153)),
		"hostile": bottest.Reported(hostile),
		"restored": bottest.Reported(bottest.Confirmed, bottest.Ends("", 178),
			bottest.Fails(v1alpha1.FaultRelease, v1alpha1.StepSoak, "Restarts", "2 of 3 pods restarted under live traffic"),
			bottest.TookSteps(bottest.Entry(v1alpha1.StepRestore, 178, 180, "")),
			func(r *v1alpha1.Release) { r.Status.Milestones.RestoredAt = bottest.At(180) },
			bottest.Ends(v1alpha1.ReleaseFailed, 180)),
		// A switch that was intended but not made.
		"never-moved": bottest.Reported(bottest.Verified,
			bottest.Fails(v1alpha1.FaultRelease, v1alpha1.StepSwitch, "Ports", "service shop-green-svc has no port 80"),
			func(r *v1alpha1.Release) {
				r.Status.Milestones.SwitchIntendedAt, r.Status.Milestones.RestoredAt = bottest.At(151), bottest.At(152)
			}, bottest.TookSteps(bottest.Entry(v1alpha1.StepDiscard, 152, 153, "")), bottest.Ends(v1alpha1.ReleaseFailed, 153)),
		"restoring": bottest.Reported(bottest.Confirmed, bottest.Ends("", 178),
			bottest.Fails(v1alpha1.FaultRelease, v1alpha1.StepSoak, "Restarts", "2 of 3 pods restarted under live traffic"),
			bottest.TookSteps(bottest.Entry(v1alpha1.StepRestore, 178, 0, ""))),
		"kept": bottest.Reported(bottest.Confirmed, bottest.Ends("", 178),
			bottest.Fails(v1alpha1.FaultRelease, v1alpha1.StepSoak, "Gate", "the database refuses connections, on blue as well"),
			func(r *v1alpha1.Release) { r.Status.Milestones.KeptAt = bottest.At(180) }, bottest.Ends(v1alpha1.ReleaseFailed, 180)),
		"error": bottest.Reported(bottest.Claimed,
			bottest.Fails(v1alpha1.FaultWorld, v1alpha1.StepBuild, "Quota",
				"Cloud Build did not start the build for 30 minutes: quota of project acme-prod; raise it at the console"),
			bottest.Ends(v1alpha1.ReleaseError, 1900)),
		"interference": bottest.Reported(bottest.Verified, bottest.Fails(v1alpha1.FaultInterference, v1alpha1.StepVerify, "Interference",
			"ingress shop-ingress was switched to green by someone else before this release did; nothing was changed by this release since: look "+
				"at it, then ask again"),
			bottest.Ends(v1alpha1.ReleaseError, 152)),
		"cancelled": bottest.Reported(bottest.Verified,
			bottest.Fails(v1alpha1.FaultCancelled, v1alpha1.StepVerify, "Cancelled", "cancelled by wanda: not today"),
			func(r *v1alpha1.Release) {
				r.Spec.Cancel = &v1alpha1.Cancel{
					By: "wanda", Reason: "not today",
					Cause: v1alpha1.Cause{Kind: v1alpha1.CauseComment, URL: "https://github.com/acme/shop/pull/7#issuecomment-3"},
				}
			}, bottest.TookSteps(bottest.Entry(v1alpha1.StepDiscard, 151, 153, "")), bottest.Ends(v1alpha1.ReleaseCancelled, 153)),
		"superseded-queued":    overtaken(newer),
		"superseded-under-way": overtaken(acting),
		"superseded-shipped":   overtaken(chained).Among(shipped),
		"superseded-failed":    overtaken(failing),
		"superseded-behind": bottest.Reported(bottest.Fails(v1alpha1.FaultSuperseded, "", "Superseded",
			"1b1b1b1 is behind the live version 2c2c2c2; to go back, use /rollback"),
			bottest.About(v1alpha1.SupersededByBehind, "", bottest.LaterCommit),
			func(r *v1alpha1.Release) {
				r.Status.Phase, r.Status.FinishedAt = v1alpha1.ReleaseSuperseded, bottest.At(4)
			}),
		"gave-way": bottest.Reported(bottest.Verified,
			bottest.Fails(v1alpha1.FaultSuperseded, v1alpha1.StepVerify, "RolledBack", "gives way to shop-rollback-1a2b3c4d5e"),
			bottest.About("", "shop-rollback-1a2b3c4d5e", ""), bottest.Ends(v1alpha1.ReleaseSuperseded, 152)),
		"superseded-locked":          overtaken(locked).With(behindLock),
		"left-in-soak":               bottest.Reported(leftInSoak...),
		"left-in-soak-rolled-back":   bottest.Reported(leftInSoak...).Among(away),
		"succeeded-then-staged-over": bottest.Reported(bottest.Confirmed, bottest.Ends(v1alpha1.ReleaseSucceeded, 454)).Among(over),
		"cut-batch": bottest.Reported(bottest.Building, func(r *v1alpha1.Release) {
			r.Status.GitHub = &v1alpha1.GitHubStatus{PullRequests: []int{1, 2, 3}, PullRequestsCut: true}
		}),
		"proof-measuring": bottest.Reported(bottest.Switched, bottest.TookSteps(bottest.Entry(v1alpha1.StepConfirm, 152, 0, "being confirmed")),
			func(r *v1alpha1.Release) {
				r.Status.Proof = &v1alpha1.ProofStatus{Result: v1alpha1.ProofMeasuring, Requests: 120, Message: "120 requests, 0 failed so far"}
			}),
		"proof-failed": bottest.Reported(bottest.Confirmed, bottest.Proves(v1alpha1.ProofStatus{
			Result: v1alpha1.ProofFailed, Requests: 412, Failed: 2, NewFailures: 2,
			Message: "412 requests, 2 failed since the switch beyond what did before, p99 34 ms; the last failure: 503 Service Unavailable",
		}), bottest.Ends(v1alpha1.ReleaseSucceeded, 454), func(r *v1alpha1.Release) {
			r.Status.Findings = []v1alpha1.Advice{v1alpha1.Advise("requests to https://shop.example.com failed since the switch, too few of them " +
				"to move traffic back")}
		}),
		"proof-inconclusive": shown(v1alpha1.ProofStatus{
			Result: v1alpha1.ProofInconclusive, Requests: 300, Unseen: 112,
			Message: "inconclusive: 112 of 412 requests say nothing of the application: 403 Forbidden",
		}),
		"proof-interrupted": shown(v1alpha1.ProofStatus{
			Result: v1alpha1.ProofInterrupted, Requests: 200, InterruptedAt: &metav1.MicroTime{Time: bottest.At(153).Time},
			Message: "interrupted at 12:02:33 UTC: 200 requests counted, 0 of them failed",
		}),
		"proof-not-observed": shown(v1alpha1.ProofStatus{
			Result: v1alpha1.ProofNotObserved, Message: "the public address was not asked: spec.url is not set",
		}),
		"retried": bottest.Reported(bottest.Building, func(r *v1alpha1.Release) {
			again := bottest.DeployOf(bottest.NewCommit, 2)
			bottest.Building(again)
			*r = *again
		}).With(func(c *bottest.Case) { c.Around.Earlier = []*v1alpha1.Release{failedDeploy(bottest.NewCommit)} }),
		"several-applications": bottest.Reported(bottest.Manual()).With(func(c *bottest.Case) {
			other := bottest.Shop()
			other.Name = "basket"
			c.Around.Applications = []v1alpha1.BlueGreen{bottest.Shop(), other}
		}),
		"rolling-back": bottest.GoesBack(),
		"rolled-back":  bottest.GoesBack(bottest.ComesBack),
		"rolled-back-to-adopted": bottest.GoesBack(bottest.ComesBack, func(r *v1alpha1.Release) {
			r.Spec.Rollback.To = v1alpha1.Version{
				Color: v1alpha1.Blue, Image: "gcr.io/acme/shop@sha256:" + strings.Repeat("1", 64), Tag: "v1.0.0",
				Replicas: 3,
			}
		}),
		"rollback-queued-locked": bottest.GoesBack(func(r *v1alpha1.Release) {
			r.Status = v1alpha1.ReleaseStatus{Phase: v1alpha1.ReleaseQueued}
		}).With(bottest.LockedBy("Black Friday")),
		"rollback-error": bottest.GoesBack(bottest.Fails(v1alpha1.FaultWorld, v1alpha1.StepSize, "Unschedulable",
			"no node has room for pod shop-blue-7c4"),
			bottest.Ends(v1alpha1.ReleaseError, 1200)),
	}
	maps.Copy(cases, advised())
	return cases
}

// failedDeploy is a deploy whose pods crash.
func failedDeploy(commit string) *v1alpha1.Release {
	rel := bottest.DeployOf(commit, 1)
	crashed(rel)
	bottest.Ends(v1alpha1.ReleaseFailed, 82)(rel)
	return rel
}
