package cutover

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"
)

// Journal is the load balancer's log: why it refused each request, and, in a file, what it
// changed.
type Journal struct {
	out io.Writer

	mu       sync.Mutex
	refusals []refusal
}

// refusal is a request that the load balancer itself answered.
type refusal struct {
	at      time.Time
	host    string
	details string
}

// NewJournal writes changes to out.
func NewJournal(out io.Writer) *Journal { return &Journal{out: out} }

// Enabled is true, since the journal keeps debug messages. With Handle, WithAttrs and WithGroup
// it makes Journal a slog.Handler.
func (j *Journal) Enabled(context.Context, slog.Level) bool { return true }

// Handle keeps refusals, and writes everything else.
func (j *Journal) Handle(_ context.Context, record slog.Record) error {
	attributes := map[string]string{}
	var text string
	record.Attrs(func(a slog.Attr) bool {
		attributes[a.Key] = a.Value.String()
		text += fmt.Sprintf(" %s=%s", a.Key, a.Value)
		return true
	})
	j.mu.Lock()
	defer j.mu.Unlock()
	if record.Message == "request refused" {
		j.refusals = append(j.refusals, refusal{
			at: record.Time, host: withoutPort(attributes["host"]), details: attributes["status"] + " " + kind(attributes["status_details"]),
		})
		return nil
	}
	_, err := fmt.Fprintf(j.out, "%s %s%s\n", record.Time.Format("15:04:05.000"), record.Message, text)
	return err
}

// WithAttrs is not used by the load balancer.
func (j *Journal) WithAttrs([]slog.Attr) slog.Handler { return j }

// WithGroup is not used by the load balancer.
func (j *Journal) WithGroup(string) slog.Handler { return j }

// between counts why requests for a host were refused in a time.
func (j *Journal) between(host string, from, to time.Time) map[string]int {
	j.mu.Lock()
	defer j.mu.Unlock()
	counts := map[string]int{}
	for _, r := range j.refusals {
		if r.host == host && !r.at.Before(from) && r.at.Before(to) {
			counts[r.details]++
		}
	}
	return counts
}

func withoutPort(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return host
}
