// Package application is what the measurements ship: a web application that
// costs little to run, so that what is measured is the load balancer.
//
//	/             its version
//	/slow         the same, after ?seconds=N
//	/healthz      200, or 500 once it is broken
//	/break        breaks it: from now on everything answers 500
//
// Every answer has the version in the header X-App-Version.
package application

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// Variable turns a program into this application.
	Variable = "TURNOUT_BENCH_APPLICATION"
	// VersionHeader of every answer.
	VersionHeader = "X-App-Version"
	// VersionVariable overrides the file VERSION of the image.
	VersionVariable = "APP_VERSION"
	// NoRootVariable makes it answer 404 to / and nothing else, as many services do.
	NoRootVariable = "APP_NO_ROOT"
	// Port it listens on.
	Port = 8080
)

// Run serves until SIGTERM, and then finishes its answers.
func Run() error {
	version, err := version()
	if err != nil {
		return err
	}
	server := &http.Server{Addr: fmt.Sprintf(":%d", Port), Handler: handler(version), ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.ListenAndServe() }()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	select {
	case err := <-ended:
		return fmt.Errorf("serving: %w", err)
	case <-signals:
	}
	if err := server.Shutdown(context.Background()); err != nil {
		return fmt.Errorf("finishing the requests in progress: %w", err)
	}
	return nil
}

// version is the variable's value, or else the build's, from VERSION.
func version() (string, error) {
	if version := os.Getenv(VersionVariable); version != "" {
		return version, nil
	}
	text, err := os.ReadFile("VERSION")
	if err != nil {
		return "", fmt.Errorf("reading the version: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

func handler(version string) http.Handler {
	var broken atomic.Bool
	answer := func(w http.ResponseWriter) {
		w.Header().Set(VersionHeader, version)
		if broken.Load() {
			http.Error(w, "broken", http.StatusInternalServerError)
			return
		}
		fmt.Fprintln(w, version)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { answer(w) })
	if os.Getenv(NoRootVariable) != "" {
		mux.HandleFunc("/{$}", http.NotFound)
	}
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		seconds, err := strconv.ParseFloat(r.FormValue("seconds"), 64)
		if err != nil {
			http.Error(w, errors.Join(errors.New("seconds must be a number"), err).Error(), http.StatusBadRequest)
			return
		}
		time.Sleep(time.Duration(seconds * float64(time.Second)))
		answer(w)
	})
	mux.HandleFunc("/break", func(w http.ResponseWriter, _ *http.Request) {
		broken.Store(true)
		w.WriteHeader(http.StatusNoContent)
	})
	return mux
}
