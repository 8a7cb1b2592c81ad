package node

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// logWriter writes a container's output, each line with its time before it.
type logWriter struct {
	mu   sync.Mutex // guards file, which two streams write to
	file *os.File
	open []*lineWriter
}

func newLogWriter(path string) (*logWriter, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // G301: not a secret
		return nil, fmt.Errorf("creating the log's directory: %w", err)
	}
	file, err := os.Create(path) //nolint:gosec // G304: below the agent's directory
	if err != nil {
		return nil, fmt.Errorf("creating the log: %w", err)
	}
	return &logWriter{file: file}, nil
}

// stream returns a writer for one of the process's streams.
func (l *logWriter) stream(string) io.Writer {
	w := &lineWriter{to: l}
	l.open = append(l.open, w)
	return w
}

// close writes what was left without a line's end. No stream may be written to
// any more.
func (l *logWriter) close() {
	for _, w := range l.open {
		if len(w.rest) > 0 {
			l.line(append(w.rest, '\n'))
		}
	}
	_ = l.file.Close() // nothing is buffered
}

func (l *logWriter) line(line []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	stamped := append([]byte(time.Now().UTC().Format(time.RFC3339Nano)+" "), line...)
	_, _ = l.file.Write(stamped) // a full disk shows elsewhere
}

// lineWriter cuts a stream into lines.
type lineWriter struct {
	to   *logWriter
	rest []byte
}

func (w *lineWriter) Write(data []byte) (int, error) {
	w.rest = append(w.rest, data...)
	for {
		end := bytes.IndexByte(w.rest, '\n')
		if end < 0 {
			return len(data), nil
		}
		w.to.line(w.rest[:end+1])
		w.rest = w.rest[end+1:]
	}
}

// logOptions are those of corev1.PodLogOptions that the kubelet gets.
type logOptions struct {
	follow, previous, timestamps bool
	tail                         *int64
	limit                        *int64
	since                        time.Time
}

func parseLogOptions(query url.Values) (logOptions, error) {
	o := logOptions{
		follow: query.Get("follow") == "true", previous: query.Get("previous") == "true",
		timestamps: query.Get("timestamps") == "true",
	}
	for name, target := range map[string]**int64{"tailLines": &o.tail, "limitBytes": &o.limit} {
		if text := query.Get(name); text != "" {
			value, err := strconv.ParseInt(text, 10, 64)
			if err != nil || value < 0 {
				return o, fmt.Errorf("invalid %s %q", name, text)
			}
			*target = new(value)
		}
	}
	var err error
	if text := query.Get("sinceTime"); text != "" {
		if o.since, err = time.Parse(time.RFC3339, text); err != nil {
			return o, fmt.Errorf("invalid sinceTime: %w", err)
		}
	}
	if text := query.Get("sinceSeconds"); text != "" {
		seconds, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return o, fmt.Errorf("invalid sinceSeconds: %w", err)
		}
		o.since = time.Now().Add(-time.Duration(seconds) * time.Second)
	}
	return o, nil
}

// followPause is how often a followed log is looked at for more.
const followPause = 50 * time.Millisecond

// copyLog writes a log as the options say; a followed one until done is closed
// and everything is written, or ctx ends.
func copyLog(ctx context.Context, to http.ResponseWriter, path string, o logOptions, done <-chan struct{}) error {
	file, err := os.Open(path) //nolint:gosec // G304: below the agent's directory
	if err != nil {
		return err
	}
	defer file.Close()
	offset, err := tailOffset(file, o.tail)
	if err != nil {
		return err
	}
	if _, err := file.Seek(offset, io.SeekStart); err != nil {
		return err
	}
	out := &logReader{options: o, to: to, from: bufio.NewReader(file)}
	for {
		over := isClosed(done) || !o.follow // before the look, so that nothing is missed
		if err := out.drain(); err != nil || over {
			return err
		}
		if flusher, ok := to.(http.Flusher); ok {
			flusher.Flush()
		}
		if !pause(ctx, followPause) {
			return nil
		}
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// logReader copies complete lines.
type logReader struct {
	options logOptions
	to      io.Writer
	from    *bufio.Reader
	partial []byte
	written int64
}

// errLimit says that as much was written as was asked for.
var errLimit = errors.New("limitBytes reached")

func (r *logReader) drain() error {
	for {
		line, err := r.from.ReadBytes('\n')
		r.partial = append(r.partial, line...)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		line, r.partial = r.partial, nil
		if err := r.emit(line); errors.Is(err, errLimit) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func (r *logReader) emit(line []byte) error {
	stamp, text, _ := bytes.Cut(line, []byte(" "))
	if !r.options.since.IsZero() {
		if at, err := time.Parse(time.RFC3339Nano, string(stamp)); err == nil && at.Before(r.options.since) {
			return nil
		}
	}
	if r.options.timestamps {
		text = line
	}
	if limit := r.options.limit; limit != nil {
		if left := *limit - r.written; left <= 0 {
			return errLimit
		} else if int64(len(text)) > left {
			text = text[:left]
		}
	}
	n, err := r.to.Write(text)
	r.written += int64(n)
	return err
}

// tailOffset finds where the last n lines begin.
func tailOffset(file *os.File, n *int64) (int64, error) {
	if n == nil {
		return 0, nil
	}
	content, err := io.ReadAll(file)
	if err != nil {
		return 0, err
	}
	end := len(content)
	for left := *n; left > 0 && end > 0; left-- {
		end = bytes.LastIndexByte(content[:end-1], '\n') + 1
	}
	return int64(end), nil
}
