package webhook

import (
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"time"

	"github.com/turnout-dev/turnout/sandbox/bench/proc"
)

// beside are the processes that share the machine with Turnout, as the kernel names them. Beside them
// is "sandbox", this one: GitHub's stand-in, what makes the API server slow, and what counts.
var beside = []string{"kube-apiserver", "etcd", "kube-controller"} //nolint:gochecknoglobals // a table

// use is what was used until a moment.
type use struct {
	cpu      map[string]time.Duration
	machine  time.Duration // by everything on it
	requests map[string]int
}

// use is what was used so far. What cannot be read counts for nothing, such as a process that ended.
func (r *run) use() use {
	u := use{cpu: map[string]time.Duration{}, requests: r.api.slow.counted()}
	u.cpu["turnout"], _ = proc.CPU(r.process())
	pids := map[string][]int{}
	for _, name := range beside {
		pids[name], _ = proc.Named(name)
	}
	if self, err := proc.Outside(os.Getpid()); err == nil {
		pids["sandbox"] = []int{self}
	}
	for name, all := range pids {
		for _, pid := range all {
			cpu, _ := proc.CPU(pid)
			u.cpu[name] += cpu
		}
	}
	u.machine, _ = proc.Busy()
	return u
}

// since is what was used between two moments: processor time in seconds, and requests.
func (u use) since(before use) (cpu map[string]float64, requests int) {
	cpu = map[string]float64{}
	others := u.machine - before.machine
	for name, used := range u.cpu {
		d := max(0, used-before.cpu[name])
		cpu[name] = math.Round(d.Seconds()*10) / 10
		others -= d
	}
	cpu["others"] = math.Round(max(0, others).Seconds()*10) / 10
	for _, n := range u.counts(before) {
		requests += n
	}
	return cpu, requests
}

func (u use) counts(before use) map[string]int {
	counts := map[string]int{}
	for kind, n := range u.requests {
		counts[kind] = n - before.requests[kind]
	}
	return counts
}

// most are the kinds of requests of which there were most.
func (u use) most(before use) (lines []string) {
	counts := u.counts(before)
	kinds := slices.SortedFunc(maps.Keys(counts), func(a, b string) int { return counts[b] - counts[a] })
	for _, kind := range kinds[:min(len(kinds), 15)] {
		lines = append(lines, fmt.Sprintf("%6d %s", counts[kind], kind))
	}
	return lines
}
