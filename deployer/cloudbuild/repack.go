package cloudbuild

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"
)

const (
	// maxSource bounds the unpacked source, against endless archives. GitHub recommends
	// repositories below 5 GB.
	maxSource = 8 << 30
	// maxEntries bounds the number of files for the same reason.
	maxEntries = 1_000_000
)

// Repack reads a gzipped tar with one top directory and writes it without that directory, one
// entry at a time. It leaves out owners, times and the comment that "git archive" puts in a
// global header, and reduces modes to permissions. It keeps symbolic links that point inside the
// source and drops the others, whose targets would not be in the build. Anything else that could
// write outside its directory is a *SourceError. After an error, the output is incomplete and
// must be discarded.
func Repack(to io.Writer, from io.Reader) error {
	zipped, err := gzip.NewReader(from)
	if err != nil {
		return readError(err)
	}
	packed := gzip.NewWriter(to)
	r := repacker{in: tar.NewReader(zipped), out: tar.NewWriter(packed), links: map[string]bool{}}
	if err := r.run(); err != nil {
		return err
	}
	// The checksum follows the last entry: without it, a truncated download would pass.
	if _, err := io.Copy(io.Discard, zipped); err != nil {
		return readError(err)
	}
	if err := r.out.Close(); err != nil {
		return fmt.Errorf("end the re-packed source: %w", err)
	}
	if err := packed.Close(); err != nil {
		return fmt.Errorf("end the re-packed source: %w", err)
	}
	return nil
}

// readError distinguishes a broken archive from a broken connection.
func readError(err error) error {
	if errors.Is(err, gzip.ErrHeader) || errors.Is(err, tar.ErrHeader) {
		return &SourceError{Reason: "is not a gzipped tar: " + err.Error()}
	}
	return fmt.Errorf("read the source archive: %w", err)
}

type repacker struct {
	in      *tar.Reader
	out     *tar.Writer
	top     string
	links   map[string]bool // symbolic links seen, kept or not
	bytes   int64
	entries int
}

func (r *repacker) run() error {
	for {
		header, err := r.in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return readError(err)
		}
		if err := r.entry(header); err != nil {
			return err
		}
	}
	if r.entries == 0 {
		return &SourceError{Reason: "contains no files"}
	}
	return nil
}

// entry copies one entry, or leaves it out.
func (r *repacker) entry(header *tar.Header) error {
	if header.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	name, err := r.inside(header.Name)
	if err != nil || name == "." {
		return err
	}
	out := &tar.Header{Name: name, Mode: header.Mode & 0o777, Typeflag: header.Typeflag, ModTime: time.Unix(0, 0)}
	switch header.Typeflag {
	case tar.TypeDir:
		out.Name += "/"
	case tar.TypeReg:
		out.Size = header.Size
	case tar.TypeSymlink:
		r.links[name] = true
		if escapes(name, header.Linkname) {
			return nil
		}
		out.Linkname = header.Linkname
	default:
		return &SourceError{
			Entry:  header.Name,
			Reason: fmt.Sprintf("is neither a file, a directory nor a symbolic link (type %q)", header.Typeflag),
		}
	}
	return r.write(out)
}

func (r *repacker) write(header *tar.Header) error {
	r.bytes += header.Size
	if r.entries++; r.bytes > maxSource || r.entries > maxEntries {
		return &SourceError{Reason: fmt.Sprintf("is larger than %d bytes or %d files once unpacked", int64(maxSource), maxEntries)}
	}
	if err := r.out.WriteHeader(header); err != nil {
		return fmt.Errorf("write %s of the source: %w", header.Name, err)
	}
	if header.Typeflag != tar.TypeReg {
		return nil
	}
	if _, err := io.Copy(r.out, r.in); err != nil {
		return fmt.Errorf("copy %s of the source: %w", header.Name, err)
	}
	return nil
}

// inside is the entry's path below the top directory, or "." for that directory itself. It
// refuses a path that leads outside or through a symbolic link.
func (r *repacker) inside(name string) (string, error) {
	refuse := func(reason string) (string, error) { return "", &SourceError{Entry: name, Reason: reason} }
	if strings.HasPrefix(name, "/") || strings.Contains(name, "\x00") {
		return refuse("is not a plain relative path")
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return refuse("leads out of the archive")
		}
	}
	top, rest, _ := strings.Cut(path.Clean(name), "/")
	if top == "." {
		return refuse("is not below a top directory")
	}
	if r.top == "" {
		r.top = top
	}
	if top != r.top {
		return refuse(fmt.Sprintf("is not below the top directory %s", r.top))
	}
	rest = path.Clean(rest)
	for dir := path.Dir(rest); dir != "."; dir = path.Dir(dir) {
		if r.links[dir] {
			return refuse("is below a symbolic link")
		}
	}
	if r.links[rest] {
		return refuse("has the name of an earlier symbolic link")
	}
	return rest, nil
}

// escapes reports whether a symbolic link at name leads out of the source.
func escapes(name, target string) bool {
	if target == "" || strings.HasPrefix(target, "/") {
		return true
	}
	to := path.Join(path.Dir(name), target)
	return to == ".." || strings.HasPrefix(to, "../")
}
