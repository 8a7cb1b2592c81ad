package deployer

import (
	"github.com/turnout-dev/turnout/deployer/workload"
	"github.com/turnout-dev/turnout/record"
)

// wired builds the look once from the Deployer's clients. Every value in it has its own clients,
// and none has the Deployer.
func (d *Deployer) wired() looking {
	d.wiring.Do(func() { d.looking = d.wire() })
	return d.looking
}

func (d *Deployer) wire() looking {
	p := d.common()
	turns, telling := turns{&d.calls}, telling{d.Events}
	attesting := attesting{&attestation{reader: d.Record.Reader, lag: d.PolicyLag}}
	workers := workload.Workers{Workloads: d.Workloads}
	observing := observing{routes: d.Routes, workloads: d.Workloads, workers: workers, settle: d.Routes.Settle}
	ending := ending{measuring: p.measuring, observer: d.Observer}
	timing := timing{ending: ending, routes: d.Routes, workloads: d.Workloads, workers: workers}
	driving := driving{
		recorder: p.recorder, observing: observing, attesting: attesting, fencing: p.fencing, switches: p.switches,
		measuring: p.measuring, watching: liveWatching{live: p.live, probers: &d.live, address: p.measuring.address}, turns: turns,
		timing: timing, ending: ending, acts: d.acts(p),
		finishing: finishing{
			recorder: p.recorder, repository: p.repository, turns: turns, ending: ending, status: p.status, observer: d.Observer,
		},
	}
	queue := queue{
		recorder: p.recorder, calls: &d.calls, repository: p.repository, attesting: attesting, ending: ending, driving: driving,
	}
	borders := borders{recorder: p.recorder, strays: d.Client, driving: driving, ending: ending}
	queue.vetting = vetting{
		recorder: p.recorder, branch: branch{p.repository}, attesting: attesting, turns: turns, timing: timing, driving: driving,
		borders: borders,
	}
	return looking{
		holder: d.Holder, record: d.Record, known: record.Known{Cache: d.Client}, past: d.Client, observing: observing,
		borders: borders, driving: driving,
		status: p.status, telling: telling, withdrawal: withdrawal{telling},
		beside: beside{
			looks: &d.looks, calls: &d.calls, probers: &d.probers, live: &d.live, asks: &d.asks, maps: &d.maps, reaches: &d.reaches,
			dryRuns: &d.dryRuns, queues: &d.queueLooks, held: &d.heldLooks,
		},
		inspection: inspection{
			cached: d.Client, uncached: d.Routes.Reader, resolve: d.Resolve, facts: &d.facts, telling: telling,
			repinning: repinning{repository: p.repository, ledger: d.Repositories, calls: &d.calls},
			reaching:  reaching{repository: p.repository, calls: &d.calls, reaches: &d.reaches},
			checking:  checking{metrics: p.metrics, calls: &d.calls, dryRuns: &d.dryRuns},
		},
		takingUp: takingUp{
			routes: d.Routes, urlMap: p.urlMap, urging: p.urging, telling: telling, asks: &d.asks, maps: &d.maps, carriesOut: d.carriesOut(),
			addressing: addressing{address: p.measuring.address, asks: &d.asks, probers: &d.probers, rhythm: rhythm(d.AskEvery)},
		},
		revoking:    revoking{recorder: p.recorder, build: p.build, turns: turns},
		queue:       queue,
		contracting: contracting{queue: queue, record: d.Record, older: workload.Older{Reader: d.Record.Reader}},
		upkeeping:   upkeeping{shrinking: p.shrinking, routes: d.Routes},
		following: following{
			routes: d.Routes, workers: workers,
			emptying: emptying{pods: d.Pods, calls: &d.calls, looks: &d.queueLooks, every: d.QueueEvery},
		},
		keeping: keeping{telling}, scaling: scaling{workload.Scalers{Workloads: d.Workloads}},
		minimum: minimum{d.Workloads}, migrating: p.migrating,
		held: heldWatching{live: p.live, probers: &d.live, address: p.measuring.address, looks: &d.heldLooks, telling: telling},
	}
}
