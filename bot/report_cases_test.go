package bot_test

import (
	"maps"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// overtaken is superseded by a release.
func overtaken(by *v1alpha1.Release) reportCase {
	superseded := fails(v1alpha1.FaultSuperseded, "", "Superseded", "superseded by "+by.Name)
	return reported(superseded, about(v1alpha1.SupersededByNewer, by.Name, ""), func(r *v1alpha1.Release) {
		r.Status.Phase, r.Status.SupersededBy, r.Status.FinishedAt = v1alpha1.ReleaseSuperseded, by.Name, at(20)
	}).among(by)
}

func crashed(r *v1alpha1.Release) {
	exit := int32(1)
	built(r)
	tookSteps(entry(v1alpha1.StepStage, 73, 80, "container app ends as soon as it starts"))(r)
	fails(v1alpha1.FaultRelease, v1alpha1.StepStage, "CrashLoopBackOff",
		"container app of deployment shop-green ends with exit code 1 as soon as it starts")(r)
	r.Status.Failure.Evidence = []v1alpha1.Evidence{{
		Pod: "shop-green-5d9", Container: "app", Reason: "CrashLoopBackOff", ExitCode: &exit,
		Log: "Traceback (most recent call last):\n  File \"app.py\", line 1\nModuleNotFoundError: No module named 'flask'\n",
	}}
}

// hostile holds what somebody might write who wants to break out.
func hostile(r *v1alpha1.Release) {
	verified(r)
	fails(v1alpha1.FaultRelease, v1alpha1.StepVerify, "Gate|<b>",
		"GET /healthz: 500 @acme/admins #1 ![x](https://evil.example/a.png) </details> <script>alert(1)</script> `code` | cell\n\n# heading")(r)
	ends(v1alpha1.ReleaseFailed, 152)(r)
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

// reports are the states that a comment can be in, one a golden file.
func reports() map[string]reportCase {
	newer := deployOf(laterCommit, 1)
	acting := deployOf(laterCommit, 1)
	claimed(acting)
	failing := deployOf(laterCommit, 1)
	crashed(failing)
	ends(v1alpha1.ReleaseFailed, 90)(failing)
	chained := deployOf(laterCommit, 1)
	shipped := succeededAt("3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d", 200)
	fails(v1alpha1.FaultSuperseded, "", "Superseded", "superseded by "+shipped.Name)(chained)
	about(v1alpha1.SupersededByNewer, shipped.Name, "")(chained)
	chained.Status.Phase, chained.Status.SupersededBy = v1alpha1.ReleaseSuperseded, shipped.Name
	rollback := goesBack(comesBack).rel
	rollback.Spec.Rollback.From.Commit, rollback.Spec.Rollback.To.Commit = laterCommit, newCommit
	rollback.Spec.Rollback.To.Release = deployOf(newCommit, 1).Name

	over := deployOf(laterCommit, 1)
	claimed(over)
	over.Status.Milestones.Target = v1alpha1.Blue
	over.Status.Timeline = append(over.Status.Timeline, entry(v1alpha1.StepStage, 500, 0, ""))
	locked := deployOf(laterCommit, 1)
	behindLock := lockedBy("Black Friday")
	leftInSoak := []happening{
		confirmed, ends("", 178),
		fails(v1alpha1.FaultSuperseded, v1alpha1.StepSoak, "RolledBack", "gives way to shop-rollback-1a2b3c4d5e"),
		about("", "shop-rollback-1a2b3c4d5e", ""), ends(v1alpha1.ReleaseSuperseded, 178),
	}
	away := goesBack(comesBack).rel
	shown := func(p v1alpha1.ProofStatus) reportCase {
		return reported(confirmed, proves(p), ends(v1alpha1.ReleaseSucceeded, 454))
	}

	left := goesBack(comesBack).rel
	left.Name = "shop-rollback-1a2b3c4d5e"

	cases := map[string]reportCase{
		"queued": reported(),
		"queued-behind-another": reported(restsOn(v1alpha1.Waiting{For: v1alpha1.WaitsForTurn, Release: newer.Name})).
			among(acting),
		"queued-blocked": reported(restsOn(v1alpha1.Waiting{
			For: v1alpha1.WaitsForApplication, Because: "DeploymentMissing",
			Detail: "deployment shop-blue, the live blue side, does not exist in namespace shop: create it, or name another in " +
				"spec.blue.deployment",
		})).with(func(c *reportCase) {
			c.app.Status.Conditions = []metav1.Condition{{
				Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse,
				Reason: v1alpha1.ReasonDeploymentMissing,
			}}
		}),
		"queued-locked": reported(restsOn(v1alpha1.Waiting{
			For: v1alpha1.WaitsForLock, By: "wanda", Since: at(-600), Detail: "Black Friday, nobody @deploys",
		})).with(lockedBy("Black Friday, nobody @deploys")),
		"building-queued": reported(claimed),
		"building-locked": reported(building).with(lockedBy("Black Friday")),
		"building":        reported(building, func(r *v1alpha1.Release) { r.Status.Build.Retries = 1 }),
		"running": reported(built, tookSteps(entry(v1alpha1.StepStage, 73, 0, "1 of 3 pods ready")), func(r *v1alpha1.Release) {
			r.Status.Build.Retries = 2
			r.Status.Drift = "-        memory: 256Mi\n+        memory: 512Mi\n"
		}),
		"waiting": reported(manual()).
			with(func(c *reportCase) {
				c.app.Spec.Promotion = v1alpha1.PromotionSpec{Mode: v1alpha1.PromotionManual, Timeout: metav1.Duration{Duration: 24 * time.Hour}}
			}),
		"waiting-rolled-back": reported(waits(v1alpha1.Waiting{
			For: v1alpha1.WaitsForApproval, Because: v1alpha1.BecauseRolledBack, By: "wanda", Release: left.Name,
			Commit: strings.Repeat("0c", 20), Since: &metav1.Time{Time: time.Date(2026, 11, 21, 16, 20, 0, 0, time.UTC)},
		})).among(left),
		"waiting-locked": reported(waits(v1alpha1.Waiting{For: v1alpha1.WaitsForLock, By: "wanda", Since: at(-600)})).with(lockedBy("")),
		"switching": reported(verified, tookSteps(entry(v1alpha1.StepSwitch, 151, 0, "")), func(r *v1alpha1.Release) {
			r.Status.Milestones.SwitchIntendedAt = at(151)
		}),
		"confirming": reported(switched, tookSteps(entry(v1alpha1.StepConfirm, 152, 0, "asks https://shop.example.com: 200"))),
		"soaking":    reported(confirmed),
		"soaking-extended": reported(confirmed, func(r *v1alpha1.Release) {
			since := metav1.NewMicroTime(at(430).Time)
			r.Status.Soak = &v1alpha1.SoakStatus{Extended: 1, UnseenSince: &since}
		}),
		"undoing": reported(crashed, tookSteps(entry(v1alpha1.StepDiscard, 80, 0, "sizing shop-green to 0"))),
		"succeeded": reported(confirmed, ends(v1alpha1.ReleaseSucceeded, 454), func(r *v1alpha1.Release) {
			r.Spec.Approval = &v1alpha1.Approval{
				By:    "wanda",
				Cause: v1alpha1.Cause{Kind: v1alpha1.CauseComment, URL: "https://github.com/acme/shop/pull/7#issuecomment-2"},
			}
			r.Status.Findings = []v1alpha1.Advice{v1alpha1.Advise("no gate is configured: the readiness probe's path /healthz was asked instead")}
		}),
		"succeeded-from-nothing": reported(confirmed, ends(v1alpha1.ReleaseSucceeded, 454), func(r *v1alpha1.Release) {
			r.Status.Milestones.Previous.Replicas = 0
		}).with(func(c *reportCase) {
			c.app.Status.WayBack = &v1alpha1.WayBack{
				Color: v1alpha1.Blue, Needed: 3,
				Missing: "service shop-blue has fewer ready endpoints of it than users need",
			}
		}),
		"succeeded-on-google": reported(confirmed, ends(v1alpha1.ReleaseSucceeded, 454), func(r *v1alpha1.Release) {
			r.Status.Route = &v1alpha1.RouteStatus{LoadBalancer: v1alpha1.LoadBalancerGCE}
		}),
		"succeeded-hold-over": reported(confirmed, ends(v1alpha1.ReleaseSucceeded, 454)).with(func(c *reportCase) {
			c.app.Status.WayBack = &v1alpha1.WayBack{
				Color: v1alpha1.Blue, Needed: 3,
				Missing: "service shop-blue has fewer ready endpoints of it than users need",
			}
			c.app.Status.LastSwitch = &v1alpha1.SwitchRecord{UID: string(c.rel.UID), Shrunk: true}
		}),
		"succeeded-then-replaced":     reported(confirmed, ends(v1alpha1.ReleaseSucceeded, 454)).among(succeededAt(laterCommit, 900)),
		"succeeded-then-brought-back": reported(confirmed, ends(v1alpha1.ReleaseSucceeded, 454)).among(succeededAt(laterCommit, 500), rollback),
		"build-config": reported(claimed,
			fails(v1alpha1.FaultRelease, v1alpha1.StepBuild, "BuildConfig", "cloudbuild.yaml: unknown field \"stpes\""),
			ends(v1alpha1.ReleaseFailed, 3), func(r *v1alpha1.Release) {
				r.Status.Build, r.Status.Timeline[0].Message = nil, ""
				r.Status.Failure.File, r.Status.Failure.Line = "deploy/cloudbuild.yaml", 12
			}),
		"build-failed": reported(building,
			fails(v1alpha1.FaultRelease, v1alpha1.StepBuild, "BuildFailed", "build step 0 \"gcr.io/cloud-builders/docker\" failed: exit status 1"),
			ends(v1alpha1.ReleaseFailed, 40)),
		"crashed": reported(crashed, tookSteps(entry(v1alpha1.StepDiscard, 80, 82, "")), ends(v1alpha1.ReleaseFailed, 82)),
		"gate": reported(verified,
			fails(v1alpha1.FaultRelease, v1alpha1.StepVerify, "Gate",
				"GET /healthz on port 8080 of pod shop-green-5d9 answered 503 Service Unavailable, want 200"),
			func(r *v1alpha1.Release) {
				r.Status.Failure.Evidence = []v1alpha1.Evidence{{
					Pod: "shop-green-5d9", Request: "GET /healthz on port 8080",
					Message: "503 Service Unavailable, want 200", Body: "degraded: DATABASE_URL is not set",
				}}
			}, tookSteps(entry(v1alpha1.StepDiscard, 151, 153, "")), ends(v1alpha1.ReleaseFailed, 153)),
		"hostile": reported(hostile),
		"restored": reported(confirmed, ends("", 178),
			fails(v1alpha1.FaultRelease, v1alpha1.StepSoak, "Restarts", "2 of 3 pods restarted under live traffic"),
			tookSteps(entry(v1alpha1.StepRestore, 178, 180, "")), func(r *v1alpha1.Release) { r.Status.Milestones.RestoredAt = at(180) },
			ends(v1alpha1.ReleaseFailed, 180)),
		// A switch that was intended, and then not made.
		"never-moved": reported(verified, fails(v1alpha1.FaultRelease, v1alpha1.StepSwitch, "Ports", "service shop-green-svc has no port 80"),
			func(r *v1alpha1.Release) {
				r.Status.Milestones.SwitchIntendedAt, r.Status.Milestones.RestoredAt = at(151), at(152)
			}, tookSteps(entry(v1alpha1.StepDiscard, 152, 153, "")), ends(v1alpha1.ReleaseFailed, 153)),
		"restoring": reported(confirmed, ends("", 178),
			fails(v1alpha1.FaultRelease, v1alpha1.StepSoak, "Restarts", "2 of 3 pods restarted under live traffic"),
			tookSteps(entry(v1alpha1.StepRestore, 178, 0, ""))),
		"kept": reported(confirmed, ends("", 178),
			fails(v1alpha1.FaultRelease, v1alpha1.StepSoak, "Gate", "the database refuses connections, on blue as well"),
			func(r *v1alpha1.Release) { r.Status.Milestones.KeptAt = at(180) }, ends(v1alpha1.ReleaseFailed, 180)),
		"error": reported(claimed,
			fails(v1alpha1.FaultWorld, v1alpha1.StepBuild, "Quota",
				"Cloud Build did not start the build for 30 minutes: quota of project acme-prod; raise it at the console"),
			ends(v1alpha1.ReleaseError, 1900)),
		"interference": reported(verified, fails(v1alpha1.FaultInterference, v1alpha1.StepVerify, "Interference",
			"ingress shop-ingress was switched to green by someone else before this release did; nothing was changed by this release since: look "+
				"at it, then ask again"),
			ends(v1alpha1.ReleaseError, 152)),
		"cancelled": reported(verified, fails(v1alpha1.FaultCancelled, v1alpha1.StepVerify, "Cancelled", "cancelled by wanda: not today"),
			func(r *v1alpha1.Release) {
				r.Spec.Cancel = &v1alpha1.Cancel{
					By:    "wanda",
					Cause: v1alpha1.Cause{Kind: v1alpha1.CauseComment, URL: "https://github.com/acme/shop/pull/7#issuecomment-3"},
				}
			}, tookSteps(entry(v1alpha1.StepDiscard, 151, 153, "")), ends(v1alpha1.ReleaseCancelled, 153)),
		"superseded-queued":    overtaken(newer),
		"superseded-under-way": overtaken(acting),
		"superseded-shipped":   overtaken(chained).among(shipped),
		"superseded-failed":    overtaken(failing),
		"superseded-behind": reported(fails(v1alpha1.FaultSuperseded, "", "Superseded",
			"1b1b1b1 is behind the live version 2c2c2c2; to go back, use /rollback"), about(v1alpha1.SupersededByBehind, "", laterCommit),
			func(r *v1alpha1.Release) { r.Status.Phase, r.Status.FinishedAt = v1alpha1.ReleaseSuperseded, at(4) }),
		"gave-way": reported(verified,
			fails(v1alpha1.FaultSuperseded, v1alpha1.StepVerify, "RolledBack", "gives way to shop-rollback-1a2b3c4d5e"),
			about("", "shop-rollback-1a2b3c4d5e", ""), ends(v1alpha1.ReleaseSuperseded, 152)),
		"superseded-locked":          overtaken(locked).with(behindLock),
		"left-in-soak":               reported(leftInSoak...),
		"left-in-soak-rolled-back":   reported(leftInSoak...).among(away),
		"succeeded-then-staged-over": reported(confirmed, ends(v1alpha1.ReleaseSucceeded, 454)).among(over),
		"cut-batch": reported(building, func(r *v1alpha1.Release) {
			r.Status.GitHub = &v1alpha1.GitHubStatus{PullRequests: []int{1, 2, 3}, PullRequestsCut: true}
		}),
		"proof-measuring": reported(switched, tookSteps(entry(v1alpha1.StepConfirm, 152, 0, "being confirmed")), func(r *v1alpha1.Release) {
			r.Status.Proof = &v1alpha1.ProofStatus{Result: v1alpha1.ProofMeasuring, Requests: 120, Message: "120 requests, 0 failed so far"}
		}),
		"proof-failed": reported(confirmed, proves(v1alpha1.ProofStatus{
			Result: v1alpha1.ProofFailed, Requests: 412, Failed: 2, NewFailures: 2,
			Message: "412 requests, 2 failed since the switch beyond what did before, p99 34 ms; the last failure: 503 Service Unavailable",
		}), ends(v1alpha1.ReleaseSucceeded, 454), func(r *v1alpha1.Release) {
			r.Status.Findings = []v1alpha1.Advice{v1alpha1.Advise("requests to https://shop.example.com failed since the switch, too few of them " +
				"to move traffic back")}
		}),
		"proof-inconclusive": shown(v1alpha1.ProofStatus{
			Result: v1alpha1.ProofInconclusive, Requests: 300, Unseen: 112,
			Message: "inconclusive: 112 of 412 requests say nothing of the application: 403 Forbidden",
		}),
		"proof-interrupted": shown(v1alpha1.ProofStatus{
			Result: v1alpha1.ProofInterrupted, Requests: 200, InterruptedAt: &metav1.MicroTime{Time: at(153).Time},
			Message: "interrupted at 12:02:33 UTC: 200 requests counted, 0 of them failed",
		}),
		"proof-not-observed": shown(v1alpha1.ProofStatus{
			Result: v1alpha1.ProofNotObserved, Message: "the public address was not asked: spec.url is not set",
		}),
		"retried": reported(building, func(r *v1alpha1.Release) {
			again := deployOf(newCommit, 2)
			building(again)
			*r = *again
		}).with(func(c *reportCase) { c.around.Earlier = []*v1alpha1.Release{failedDeploy(newCommit)} }),
		"several-applications": reported(manual()).with(func(c *reportCase) {
			other := shop()
			other.Name = "basket"
			c.around.Applications = []v1alpha1.BlueGreen{shop(), other}
		}),
		"rolling-back": goesBack(),
		"rolled-back":  goesBack(comesBack),
		"rolled-back-to-adopted": goesBack(comesBack, func(r *v1alpha1.Release) {
			r.Spec.Rollback.To = v1alpha1.Version{
				Color: v1alpha1.Blue, Image: "gcr.io/acme/shop@sha256:" + strings.Repeat("1", 64), Tag: "v1.0.0",
				Replicas: 3,
			}
		}),
		"rollback-queued-locked": goesBack(func(r *v1alpha1.Release) {
			r.Status = v1alpha1.ReleaseStatus{Phase: v1alpha1.ReleaseQueued}
		}).with(lockedBy("Black Friday")),
		"rollback-error": goesBack(fails(v1alpha1.FaultWorld, v1alpha1.StepSize, "Unschedulable", "no node has room for pod shop-blue-7c4"),
			ends(v1alpha1.ReleaseError, 1200)),
	}
	maps.Copy(cases, advised())
	return cases
}

// failedDeploy is one whose pods crash.
func failedDeploy(commit string) *v1alpha1.Release {
	rel := deployOf(commit, 1)
	crashed(rel)
	ends(v1alpha1.ReleaseFailed, 82)(rel)
	return rel
}
