package deployer

import (
	"cmp"
	"net"
	"net/http"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/analysis"
	"github.com/turnout-dev/turnout/deployer/registry"
	"github.com/turnout-dev/turnout/deployer/route"
	"github.com/turnout-dev/turnout/deployer/workload"
	"github.com/turnout-dev/turnout/internal/publicnet"
)

// common are the values that several acts share.
type common struct {
	recorder
	access     googleAccess
	repository ownRepository
	build      buildRecord
	measuring  measuring
	moving     moving
	shifting   shifting
	cohorts    cohorts
	preparing  preparing
	fencing    fencing
	reference  reference
	rollout    rollout
	shrinking  shrinking
	live       livePods
	urging     urging
	urlMap     urlMap
	switches   switches
	status     appStatus
	through    throughGateway
	metrics    metricsAccess
	migrating  migrating

	configuration configuration
}

// acts are the acts of the tracks' steps, see [track.Row]. Each has only the clients that it
// needs.
func (d *Deployer) acts(p common) map[v1alpha1.Step]act {
	routes, workloads, workers := d.Routes, d.Workloads, workload.Workers{Workloads: d.Workloads}
	return map[v1alpha1.Step]act{
		v1alpha1.StepBuild: buildAct{
			recorder: p.recorder, branch: branch{p.repository}, access: p.access,
			planner: buildPlanner{repository: p.repository, access: p.access},
			images:  imaging{access: p.access, registry: d.registry()},
			pace:    d.BuildPace, grace: d.BuildGrace, retry: d.BuildRetry,
		},
		v1alpha1.StepExpand:   expandAct{migrating: p.migrating},
		v1alpha1.StepContract: contractAct{migrating: p.migrating, status: p.status, record: d.Record},
		v1alpha1.StepAttach: attachAct{
			survey:    survey{configuration: p.configuration, routes: routes, workloads: workloads},
			reference: p.reference, rollout: p.rollout, routes: routes, workloads: workloads,
		},
		v1alpha1.StepStage:   stageAct{rollout: p.rollout, routes: routes, workloads: workloads},
		v1alpha1.StepSize:    sizeAct{reference: p.reference, rollout: p.rollout, workloads: workloads, configuration: p.configuration},
		v1alpha1.StepWarm:    warmAct{recorder: p.recorder, routes: routes, settle: routes.Settle},
		v1alpha1.StepVerify:  verifyAct{pods: d.Pods, through: p.through},
		v1alpha1.StepPromote: promoteAct{repository: p.repository},
		v1alpha1.StepShift: shiftAct{
			shifting: p.shifting, cohorts: p.cohorts, measuring: p.measuring, preparing: p.preparing, live: p.live, workloads: workloads,
			routes: routes, judging: judging{metrics: p.metrics, calls: &d.calls},
		},
		v1alpha1.StepWorkers:    workersAct{recorder: p.recorder, measuring: p.measuring, halting: halting{workers}, workers: workers},
		v1alpha1.StepRecall:     recallAct{recorder: p.recorder, workers: workers},
		v1alpha1.StepSingletons: singletonsAct{recorder: p.recorder, workers: workers},
		v1alpha1.StepRelieve:    relieveAct{halting{workers}},
		v1alpha1.StepSwitch: switchAct{
			recorder: p.recorder, measuring: p.measuring, moving: p.moving, preparing: p.preparing,
			switches: p.switches, status: p.status, routes: routes,
		},
		v1alpha1.StepConfirm: confirmAct{
			measuring: p.measuring, urging: p.urging, urlMap: p.urlMap, configuration: p.configuration, routes: routes, takeUp: d.TakeUp,
		},
		v1alpha1.StepSoak: soakAct{live: p.live, workloads: workloads, judging: judging{metrics: p.metrics, calls: &d.calls}},
		v1alpha1.StepRestore: restoreAct{
			recorder: p.recorder, moving: p.moving, preparing: p.preparing, fencing: p.fencing, live: p.live,
			switches: p.switches, status: p.status, routes: routes,
		},
		v1alpha1.StepWithdraw: withdrawAct{shifting: p.shifting, cohorts: p.cohorts, fencing: p.fencing, routes: routes},
		v1alpha1.StepDiscard:  discardAct{build: p.build, shrinking: p.shrinking, workloads: workloads},
	}
}

// common builds what several acts share.
func (d *Deployer) common() common {
	address := publicAddress{pods: d.Pods, userAgent: d.UserAgent, allow: d.AllowAddresses, proxy: d.Proxy, observer: d.Observer}
	p := common{
		recorder:   recorder{d.Record},
		access:     googleAccess{google: d.Google, reader: d.Record.Reader},
		repository: ownRepository{remote: d.Source, ledger: d.Repositories},
		measuring:  measuring{probers: &d.probers, address: address, observer: d.Observer},
		moving:     moving{d.Routes},
		shifting:   shifting{recorder: recorder{d.Record}, moving: moving{d.Routes}, routes: route.Divider{Router: d.Routes}, takeUp: d.TakeUp},
		cohorts:    cohorts{recorder{d.Record}, cohortRoutes{d.Routes, route.Divider{Router: d.Routes}}},
		preparing:  preparing{routes: d.Routes, workloads: d.Workloads, carriesOut: d.carriesOut()},
		fencing:    fencing{d.Routes},
		shrinking:  shrinking{record: d.Record, routes: d.Routes, workloads: d.Workloads},
		live:       livePods{d.Pods},
		urging:     urging{routes: d.Routes, settle: d.Routes.Settle},
		urlMap: urlMap{
			urlMaps: d.URLMaps, asks: &d.maps, probers: &d.probers, routes: d.Routes, rhythm: rhythm(d.AskEvery), carriesOut: d.carriesOut(),
		},
		switches: switches{d.carriesOut()},
		status:   appStatus{record: d.Record, observer: d.Observer},

		configuration: configuration{cached: d.Client, uncached: d.Routes.Reader},
		through:       throughGateway{address: address, routes: route.Standbys{Reader: d.Routes.Reader}},
		metrics: metricsAccess{
			reader: d.Record.Reader, routes: d.Routes, allow: d.AllowAddresses, proxy: d.Proxy,
			monitoring: cmp.Or(d.Monitoring, analysis.MonitoringAddress),
		},
	}
	p.metrics.access = p.access
	p.migrating = migrating{
		recorder: p.recorder,
		jobs:     &workload.Migrations{Client: d.Client, Reader: d.Record.Reader, Clientset: d.Workloads.Clientset},
	}
	p.build = buildRecord{access: p.access, turns: turns{&d.calls}}
	p.reference = reference{recorder: p.recorder, moving: p.moving, routes: d.Routes}
	p.rollout = rollout{recorder: p.recorder, attaching: attaching{d.Client, d.Routes.Reader}, workloads: d.Workloads}
	return p
}

// registry is the client that asks registries for an image's digest.
func (d *Deployer) registry() *registry.Client {
	c := &registry.Client{Dial: publicnet.Dialer(d.AllowAddresses), UserAgent: d.UserAgent, TLS: d.registryTLS}
	if d.Proxy != nil { // the proxy's operator decides what it may reach
		c.Proxy, c.Dial = http.ProxyURL(d.Proxy), new(net.Dialer).DialContext
	}
	return c
}
