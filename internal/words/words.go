// Package words says the errors of Go's own packages, and of the client of Kubernetes, as somebody
// reads them who knows neither: which server does not answer, which file is missing, what a flag
// takes.
//
// # Decisions
//
// It replaces the part of a text that a known error has written, and leaves what others wrote around
// it. So callers go on wrapping errors as usual, and what is not known here is shown as it is.
package words

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"strings"
	"syscall"

	"github.com/spf13/pflag"
)

// Of is the text of an error.
func Of(err error) string {
	text := err.Error()
	if e, ok := errors.AsType[*url.Error](err); ok && !errors.Is(e, context.Canceled) {
		text = strings.Replace(text, e.Error(), unanswered(e), 1)
		text = strings.Replace(text, discovery, "", 1)
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		text = strings.Replace(text, e.Error(), unread(e), 1)
	}
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		text = strings.Replace(text, e.Error(), refused(e), 1)
	}
	return text
}

// discovery is what the client of Kubernetes writes before an error of its first request.
const discovery = "failed to get server groups: "

// unanswered says which server did not answer, and why.
func unanswered(e *url.Error) string {
	server := e.URL
	if u, err := url.Parse(e.URL); err == nil && u.Host != "" {
		server = u.Scheme + "://" + u.Host
	}
	why := e.Err.Error()
	dns, isDNS := errors.AsType[*net.DNSError](e)
	op, isOp := errors.AsType[*net.OpError](e)
	switch {
	case e.Timeout():
		why = "it took too long"
	case errors.Is(e, syscall.ECONNREFUSED):
		why = "connection refused"
	case isDNS && dns.IsNotFound:
		why = "there is no host " + dns.Name
	case isOp:
		why = op.Err.Error()
	}
	return server + " does not answer: " + why
}

// unread says which file could not be read.
func unread(e *fs.PathError) string {
	switch {
	case errors.Is(e, fs.ErrNotExist):
		return "there is no file " + e.Path
	case errors.Is(e, fs.ErrPermission):
		return "you may not read or write " + e.Path
	}
	return e.Error()
}

// takes are what the flags of a type take.
var takes = map[string]string{
	"duration": "a duration, such as 30s, 5m or 1h", "bool": "true or false", "int": "a number", "int64": "a number", "int32": "a number",
}

// refused says what a flag takes instead.
func refused(e *pflag.InvalidValueError) string {
	flag := e.GetFlag()
	if wanted := takes[flag.Value.Type()]; wanted != "" {
		return fmt.Sprintf("--%s %q: give %s", flag.Name, e.GetValue(), wanted)
	}
	return e.Error()
}
