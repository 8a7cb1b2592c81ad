package world

import (
	"context"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strconv"

	"github.com/fsouza/fake-gcs-server/fakestorage"

	"github.com/turnout-dev/turnout/bot/githubtest"
	"github.com/turnout-dev/turnout/deployer/cloudbuild/cloudbuildtest"
	"github.com/turnout-dev/turnout/sandbox/builder"
	"github.com/turnout-dev/turnout/sandbox/markdown"
	"github.com/turnout-dev/turnout/sandbox/netns"
)

// startStorage serves the storage API at the emulator's usual address: clients read objects by
// the XML API under the very same host.
func (w *World) startStorage(o Options) error {
	port, err := freePort()
	if err != nil {
		return err
	}
	w.StorageHost = net.JoinHostPort(netns.HostAddress, strconv.Itoa(int(port)))
	w.Storage, err = fakestorage.NewServerWithOptions(fakestorage.Options{
		Scheme: "http", Host: netns.HostAddress, Port: port, PublicHost: w.StorageHost,
		ExternalURL: "http://" + w.StorageHost, StorageRoot: filepath.Join(o.Dir, "storage"),
	})
	if err != nil {
		return err
	}
	w.Storage.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: o.Bucket})
	return nil
}

func freePort() (uint16, error) {
	listener, err := net.Listen("tcp", net.JoinHostPort(netns.HostAddress, "0"))
	if err != nil {
		return 0, fmt.Errorf("looking for a free port: %w", err)
	}
	defer listener.Close()
	return uint16(listener.Addr().(*net.TCPAddr).Port), nil //nolint:gosec // G115: a port
}

func (w *World) startCloudBuild(o Options) error {
	w.Builder = builder.New(builder.Config{Registry: w.Registry, Source: w.openObject, Dir: o.Dir})
	listener, err := net.Listen("tcp", net.JoinHostPort(netns.HostAddress, "0"))
	if err != nil {
		return err
	}
	build := w.Builder.Build
	if o.Bare {
		build = cloudbuildtest.Digests
	}
	w.CloudBuild, err = cloudbuildtest.Start(cloudbuildtest.Config{
		Listener: listener, Builder: build, Repository: w.readFile, ListLag: o.BuildListLag, Log: o.Log,
	})
	return err
}

// readFile reads the files that triggers name. Cloud Build is connected to every repository.
func (w *World) readFile(_ context.Context, repository, revision, path string) ([]byte, error) {
	repo := w.GitHub.Repository(repository)
	if repo == nil {
		return nil, fmt.Errorf("there is no repository %s", repository)
	}
	return repo.File(revision, path)
}

// openObject reads a build's source.
func (w *World) openObject(_ context.Context, bucket, object string, generation int64) (io.ReadCloser, error) {
	if generation == 0 {
		found, err := w.Storage.GetObjectStreaming(bucket, object)
		return found.Content, err
	}
	found, err := w.Storage.GetObjectWithGenerationStreaming(bucket, object, generation)
	return found.Content, err
}

func (w *World) startGitHub(o Options) error {
	listener, err := o.listener(ListenGitHub)
	if err != nil {
		return err
	}
	w.GitHub, err = githubtest.NewServer(githubtest.Config{
		Listener: listener, Dir: filepath.Join(o.Dir, "github"), Log: o.Log,
		// Turnout treats every address but github.com as a GitHub Enterprise Server.
		Enterprise: true, Pushes: true, Markdown: markdown.HTML,
	})
	if err != nil {
		return err
	}
	w.Builder.GitHub = w.GitHub.URL() // nobody knows Cloud Build's address yet, so nothing is being built
	return nil
}
