package cloudbuild_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	"github.com/fsouza/fake-gcs-server/fakestorage"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/api/option"
	"google.golang.org/api/storage/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/cloudbuild"
	"github.com/turnout-dev/turnout/deployer/cloudbuild/cloudbuildtest"
)

// emulate starts Cloud Storage with one bucket, and returns a store that finds it
// through STORAGE_EMULATOR_HOST, and a client of its own.
func emulate(t *testing.T) (*cloudbuild.Store, *storage.Service) {
	t.Helper()
	server, err := fakestorage.NewServerWithOptions(fakestorage.Options{Scheme: "http", Host: "127.0.0.1", Port: 0, Writer: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	server.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: "acme-prod_cloudbuild"})
	t.Setenv("STORAGE_EMULATOR_HOST", server.URL())
	store, err := cloudbuild.NewStore(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	client, err := storage.NewService(t.Context(), option.WithEndpoint(server.URL()+"/storage/v1/"), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	return store, client
}

// archive makes a gzipped tar of the entries; a file's content is its body.
func archive(t *testing.T, entries ...tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	w := tar.NewWriter(zip)
	for _, header := range entries {
		body := ""
		if header.Typeflag == tar.TypeReg {
			body, header.Gname = header.Gname, ""
			header.Size = int64(len(body))
		}
		if header.Mode == 0 && header.Typeflag != tar.TypeXGlobalHeader {
			header.Mode = 0o644
		}
		if err := w.WriteHeader(&header); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, body); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), zip.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func file(name, body string) tar.Header {
	return tar.Header{Typeflag: tar.TypeReg, Name: name, Gname: body}
}

func link(name, target string) tar.Header {
	return tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target}
}

// contents lists the entries of a tar, each as its content, "dir" or "-> target".
func contents(t *testing.T, r *tar.Reader) map[string]string {
	t.Helper()
	out := map[string]string{}
	for {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		switch header.Typeflag {
		case tar.TypeReg:
			out[header.Name] = string(body)
		case tar.TypeSymlink:
			out[header.Name] = "-> " + header.Linkname
		default:
			out[header.Name] = "dir"
		}
	}
}

func upload(data []byte) cloudbuild.Upload {
	return cloudbuild.Upload{
		Project: "acme-prod", Repository: "acme/my-python-app", Commit: commit, Release: "5f1c",
		Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil },
	}
}

func TestTheSourceArrivesWithoutItsTopDirectory(t *testing.T) {
	store, client := emulate(t)
	data := archive(t,
		tar.Header{Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"comment": commit}},
		tar.Header{Typeflag: tar.TypeDir, Name: "acme-app-0123456/", Mode: 0o755},
		file("acme-app-0123456/Dockerfile", "FROM python\n"),
		tar.Header{Typeflag: tar.TypeDir, Name: "acme-app-0123456/src/", Mode: 0o755},
		file("acme-app-0123456/src/app.py", "print()\n"),
		link("acme-app-0123456/src/Dockerfile", "../Dockerfile"),
	)
	object, err := store.Upload(t.Context(), upload(data))
	if err != nil {
		t.Fatal(err)
	}
	r := request()
	r.Source = cloudbuild.Source{Object: &object}
	b, err := r.Build(reference(t))
	if err != nil {
		t.Fatal(err)
	}
	source, closer, err := cloudbuildtest.OpenSource(t.Context(), client, b)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = closer.Close() }()
	want := map[string]string{"Dockerfile": "FROM python\n", "src/": "dir", "src/app.py": "print()\n", "src/Dockerfile": "-> ../Dockerfile"}
	if diff := cmp.Diff(want, contents(t, source)); diff != "" {
		t.Error(diff)
	}
	if object.Generation == 0 || object.Bucket != "acme-prod_cloudbuild" ||
		b.GetSource().GetStorageSource().GetGeneration() != object.Generation {
		t.Errorf("object %+v", object)
	}
}

func TestGitArchivesAreRead(t *testing.T) {
	dir := t.TempDir()
	script := `git init -q . && echo hello > a.txt && mkdir -p d/e && echo x > d/e/f && chmod +x d/e/f && git add . &&
		git -c user.name=a -c user.email=a@example.com commit -q -m one && git archive --format=tar.gz --prefix=app-1/ -o ../out.tar.gz HEAD`
	command := exec.CommandContext(t.Context(), "sh", "-c", "mkdir w && cd w && "+script)
	command.Dir = dir
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	data, err := os.ReadFile(dir + "/out.tar.gz")
	if err != nil {
		t.Fatal(err)
	}
	got := repack(t, data)
	if diff := cmp.Diff(map[string]string{"a.txt": "hello\n", "d/": "dir", "d/e/": "dir", "d/e/f": "x\n"}, got); diff != "" {
		t.Error(diff)
	}
}

func repack(t *testing.T, data []byte) map[string]string {
	t.Helper()
	var out bytes.Buffer
	if err := cloudbuild.Repack(&out, bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	unzipped, err := gzip.NewReader(&out)
	if err != nil {
		t.Fatal(err)
	}
	return contents(t, tar.NewReader(unzipped))
}

func TestLinksThatLeadOutAreLeftOut(t *testing.T) {
	got := repack(t, archive(t, file("top/a", "1"), link("top/x", "/etc/passwd"), link("top/d/y", "../../a"), link("top/d/ok", "../a"),
		link("top/z", "..")))
	if diff := cmp.Diff(map[string]string{"a": "1", "d/ok": "-> ../a"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestHostileArchivesAreRefused(t *testing.T) {
	tests := map[string][]tar.Header{
		"parent":             {file("top/../../evil", "x")},
		"absolute":           {file("/etc/evil", "x")},
		"second top":         {file("top/a", "x"), file("other/a", "x")},
		"below a link":       {link("top/d", "e"), file("top/d/evil", "x")},
		"below an outward":   {link("top/d", "/etc"), file("top/d/evil", "x")},
		"over a link":        {link("top/d", "/etc/passwd"), file("top/d", "x")},
		"hard link":          {{Typeflag: tar.TypeLink, Name: "top/h", Linkname: "/etc/passwd"}},
		"device":             {{Typeflag: tar.TypeChar, Name: "top/c"}},
		"pipe":               {{Typeflag: tar.TypeFifo, Name: "top/p"}},
		"nothing":            {},
		"top directory only": {{Typeflag: tar.TypeDir, Name: "top/"}},
	}
	for name, entries := range tests {
		t.Run(name, func(t *testing.T) {
			err := cloudbuild.Repack(io.Discard, bytes.NewReader(archive(t, entries...)))
			if _, ok := errors.AsType[*cloudbuild.SourceError](err); !ok {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestOwnersAndSpecialBitsAreDropped(t *testing.T) {
	var out bytes.Buffer
	data := archive(t, tar.Header{Typeflag: tar.TypeReg, Name: "top/su", Mode: 0o6755, Uid: 12, Uname: "root"})
	if err := cloudbuild.Repack(&out, bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	unzipped, err := gzip.NewReader(&out)
	if err != nil {
		t.Fatal(err)
	}
	header, err := tar.NewReader(unzipped).Next()
	if err != nil || header.Mode != 0o755 || header.Uid != 0 || header.Uname != "" {
		t.Errorf("header %+v, %v", header, err)
	}
}

// chunks is more than one chunk of an upload, and not compressible.
func chunks() string {
	noise := make([]byte, 6<<20)
	for i := range noise {
		noise[i] = byte(rand.Uint32()) //nolint:gosec // any bytes will do
	}
	return string(noise)
}

func TestABrokenDownloadLeavesNothingBehind(t *testing.T) {
	store, client := emulate(t)
	noise := chunks()
	whole := archive(t, file("top/noise", noise), file("top/b", "2"))
	for _, cut := range []int{len(whole) / 2, len(whole) - 4} {
		_, err := store.Upload(t.Context(), upload(whole[:cut]))
		var refused *cloudbuild.SourceError
		if err == nil || errors.As(err, &refused) {
			t.Fatalf("cut at %d: error %v", cut, err)
		}
	}
	object, err := store.Upload(t.Context(), upload(whole))
	if err != nil {
		t.Fatal(err)
	}
	stored, err := client.Objects.Get(object.Bucket, object.Name).Download()
	if err != nil {
		t.Fatal(err)
	}
	defer stored.Body.Close()
	unzipped, err := gzip.NewReader(stored.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got := contents(t, tar.NewReader(unzipped)); got["b"] != "2" || got["noise"] != noise {
		t.Errorf("stored %d entries", len(got))
	}
}

func TestAnUploadMayRunTwice(t *testing.T) {
	store, _ := emulate(t)
	u := upload(archive(t, file("top/a", "1")))
	first, err := store.Upload(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	u.Open = func(context.Context) (io.ReadCloser, error) { return nil, errors.New("downloaded again") }
	second, err := store.Upload(t.Context(), u)
	if err != nil || second != first {
		t.Errorf("second %+v, %v, want %+v", second, err, first)
	}
	u.Release = "other"
	if _, err := store.Upload(t.Context(), u); err == nil || !strings.Contains(err.Error(), "downloaded again") {
		t.Errorf("another release's upload: %v", err)
	}
}

func TestTwoUploadsAtOnceAgree(t *testing.T) {
	store, _ := emulate(t)
	u := upload(archive(t, file("top/a", "1")))
	open := u.Open
	var both sync.WaitGroup
	both.Add(2)
	u.Open = func(ctx context.Context) (io.ReadCloser, error) { // both look before either writes
		both.Done()
		both.Wait()
		return open(ctx)
	}
	results := make(chan cloudbuild.Object, 2)
	for range 2 {
		go func() {
			object, err := store.Upload(t.Context(), u)
			if err != nil {
				t.Error(err)
			}
			results <- object
		}()
	}
	if a, b := <-results, <-results; a != b || a.Generation == 0 {
		t.Errorf("%+v and %+v", a, b)
	}
}

func TestABucketThatCannotBeUsedIsNamed(t *testing.T) {
	u := upload(archive(t, file("top/a", chunks()))) // it is refused while it is still packed
	u.Bucket = "acme-nowhere"
	store, _ := emulate(t)
	_, err := store.Upload(t.Context(), u)
	mustBe(t, err, true, "acme-nowhere", "spec.build.source.bucket", "create it in project acme-prod",
		"\ngcloud storage buckets create gs://acme-nowhere --project=acme-prod")

	forbidding := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, `{"error": {"code": 403, "message": "denied"}}`, http.StatusForbidden)
	}))
	t.Cleanup(forbidding.Close)
	t.Setenv("STORAGE_EMULATOR_HOST", strings.TrimPrefix(forbidding.URL, "http://"))
	if store, err = cloudbuild.NewStore(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err = store.Upload(t.Context(), u)
	mustBe(t, err, false, "acme-nowhere", "spec.build.source.bucket", "roles/storage.objectAdmin")
}

func mustBe(t *testing.T, err error, missing bool, says ...string) {
	t.Helper()
	var bucket *cloudbuild.BucketError
	if !errors.As(err, &bucket) || bucket.Missing != missing {
		t.Fatalf("error %v", err)
	}
	said := v1alpha1.Advise(err.Error(), bucket.ShellCommands()...).Lines()
	for _, want := range says {
		if !strings.Contains(said, want) {
			t.Errorf("%q does not say %q", said, want)
		}
	}
}

func TestOpenSourceNeedsAStorageSource(t *testing.T) {
	if _, _, err := cloudbuildtest.OpenSource(t.Context(), nil, &cloudbuildpb.Build{Id: "b"}); err == nil {
		t.Error("no error")
	}
}
