package gclb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// load requests / on four connections until it is stopped, and counts the answers.
type load struct {
	stop    context.CancelFunc
	running sync.WaitGroup

	mu      sync.Mutex
	answers map[string]int
}

func (r *rig) load(keepAlive bool) *load {
	ctx, stop := context.WithCancel(context.WithoutCancel(r.t.Context()))
	l := &load{stop: stop, answers: map[string]int{}}
	for range 4 {
		l.running.Go(func() {
			client := http.Client{Transport: &http.Transport{DisableKeepAlives: !keepAlive}}
			for ctx.Err() == nil {
				status, body := r.ask(&client, r.host, "/")
				l.mu.Lock()
				l.answers[fmt.Sprint(status, " ", body)]++
				l.mu.Unlock()
				time.Sleep(5 * time.Millisecond) // a pace, not a wait
			}
		})
	}
	r.t.Cleanup(stop)
	return l
}

// end stops the requests and returns the answers that were not 200, and the number of all.
func (l *load) end() (failed int, all map[string]int) {
	l.stop()
	l.running.Wait()
	for answer, n := range l.answers {
		if !strings.HasPrefix(answer, "200 ") {
			failed += n
		}
	}
	return failed, l.answers
}

// diary keeps a load balancer's log.
type diary struct {
	mu      sync.Mutex
	entries []entry
}

type entry struct {
	at   time.Time
	text string
}

// Enabled, Handle, WithAttrs and WithGroup make it a slog.Handler.
func (d *diary) Enabled(context.Context, slog.Level) bool { return true }

// Handle keeps every record but those of requests: there are too many.
func (d *diary) Handle(_ context.Context, record slog.Record) error {
	if record.Message == "request refused" {
		return nil
	}
	var text strings.Builder
	text.WriteString(record.Message)
	record.Attrs(func(a slog.Attr) bool {
		fmt.Fprintf(&text, " %s=%v", a.Key, a.Value)
		return true
	})
	d.mu.Lock()
	defer d.mu.Unlock()
	d.entries = append(d.entries, entry{record.Time, text.String()})
	return nil
}

// WithAttrs is not used by the load balancer.
func (d *diary) WithAttrs([]slog.Attr) slog.Handler { return d }

// WithGroup is not used by the load balancer.
func (d *diary) WithGroup(string) slog.Handler { return d }

// text returns the entries about a namespace, or about none.
func (d *diary) text(namespace string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var lines []string
	for _, e := range d.entries {
		if strings.Contains(e.text, "-test-") && !strings.Contains(e.text, namespace) {
			continue
		}
		lines = append(lines, e.at.Format("05.000 ")+e.text)
	}
	return strings.Join(lines, "\n")
}

// find returns the first entry from a time on that has all the parts.
func (d *diary) find(from time.Time, parts ...string) (entry, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := slices.IndexFunc(d.entries, func(e entry) bool {
		return !e.at.Before(from) && !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(e.text, p) })
	})
	if i < 0 {
		return entry{}, errors.New("not in the log: " + strings.Join(parts, " … "))
	}
	return d.entries[i], nil
}
