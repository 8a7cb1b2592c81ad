package demo

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// load is a user who keeps requesting the public address, alternately on a kept connection and on
// new ones, and counts the answers.
type load struct {
	url     string
	started time.Time

	mu       sync.Mutex
	versions map[string]int
	failures []string
}

// loadPause is the time between two requests: 20 a second.
const loadPause = 50 * time.Millisecond

// run asks until ctx ends.
func (l *load) run(ctx context.Context) {
	kept := &http.Client{Transport: &http.Transport{}, Timeout: 10 * time.Second}
	fresh := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	defer kept.CloseIdleConnections()
	ticks := time.NewTicker(loadPause)
	defer ticks.Stop()
	for i := 0; ; i++ {
		client := kept
		if i%2 == 1 {
			client = fresh
		}
		version, err := ask(ctx, client, l.url)
		if ctx.Err() != nil {
			return
		}
		l.count(version, err)
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
	}
}

// ask makes one request and returns the version that answered, without the commit
// that a build adds to it.
func ask(ctx context.Context, c *http.Client, url string) (version string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", fmt.Errorf("asking %s: %w", url, err)
	}
	resp, err := c.Do(req)
	if err != nil {
		return "", fmt.Errorf("asking: %w", err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return "", fmt.Errorf("reading the answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("answered %s", resp.Status)
	}
	version, _, _ = strings.Cut(resp.Header.Get("X-App-Version"), "+")
	return version, nil
}

func (l *load) count(version string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.failures = append(l.failures, fmt.Sprintf("at %.1fs: %v", time.Since(l.started).Seconds(), err))
		return
	}
	l.versions[version]++
}

// seen returns how many answers a version gave.
func (l *load) seen(version string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.versions[version]
}

// summary is the result in a line.
func (l *load) summary() (text string, failures []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	total := 0
	var parts []string
	for _, v := range slices.Sorted(maps.Keys(l.versions)) {
		total += l.versions[v]
		parts = append(parts, fmt.Sprintf("%s answered %d", v, l.versions[v]))
	}
	return fmt.Sprintf("%d requests: %s; %d failed", total+len(l.failures), strings.Join(parts, ", "), len(l.failures)), l.failures
}
