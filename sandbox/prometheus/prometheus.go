// Package prometheus runs a real Prometheus, built into bin/ from its own module.
package prometheus

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/turnout-dev/turnout/internal/process"
)

// Options say what to scrape.
type Options struct {
	// Program is the file that is run.
	Program string
	// Dir holds its data, its configuration and its log.
	Dir string
	// Targets is an address that lists what to scrape, as http_sd_configs has it.
	Targets string
	// Every is how often. In full seconds.
	Every time.Duration
}

// Prometheus is a running one.
type Prometheus struct {
	// URL of its API.
	URL string

	process *process.Process
}

// Start starts it, and returns once it answers.
func Start(ctx context.Context, o Options) (*Prometheus, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("looking for a free port: %w", err)
	}
	address := listener.Addr().String()
	config := filepath.Join(o.Dir, "prometheus.yml")
	text := fmt.Sprintf("global: {scrape_interval: %[1]s, scrape_timeout: %[1]s}\nscrape_configs:\n"+
		"  - {job_name: pods, http_sd_configs: [{url: %[2]q, refresh_interval: %[1]s}]}\n", o.Every, o.Targets)
	if err := errors.Join(listener.Close(), os.WriteFile(config, []byte(text), 0o600)); err != nil {
		return nil, fmt.Errorf("configuring prometheus: %w", err)
	}
	running, err := process.Start(process.Options{
		Program: o.Program, Log: filepath.Join(o.Dir, "prometheus.log"),
		Args: []string{
			"--config.file=" + config, "--storage.tsdb.path=" + filepath.Join(o.Dir, "data"), "--web.listen-address=" + address,
		},
	})
	if err != nil {
		return nil, err
	}
	p := &Prometheus{URL: "http://" + address, process: running}
	if err := running.Await(ctx, p.ready); err != nil {
		running.Stop()
		return nil, err
	}
	return p, nil
}

func (p *Prometheus) ready(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL+"/-/ready", http.NoBody)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("answered %s", resp.Status)
	}
	return nil
}

// Stop ends it.
func (p *Prometheus) Stop() { p.process.Stop() }
