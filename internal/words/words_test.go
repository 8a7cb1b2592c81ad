package words

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

// asking is the error of a request.
func asking(t *testing.T, address string, timeout time.Duration) error {
	t.Helper()
	client := &http.Client{Timeout: timeout}
	resp, err := client.Get(address) //nolint:noctx // the client has a timeout
	if err == nil {
		resp.Body.Close()
		t.Fatalf("%s answers", address)
	}
	return err
}

func TestErrorsInWords(t *testing.T) {
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + gone.Addr().String()
	gone.Close()
	released := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-released }))
	defer slow.Close()
	defer close(released)
	_, missing := os.Open("no/such.file")
	flags := pflag.NewFlagSet("f", pflag.ContinueOnError)
	flags.DurationP("timeout", "t", 0, "")
	flags.Bool("wait", true, "")
	flags.IPSlice("addresses", nil, "")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	request, err := http.NewRequestWithContext(ended, http.MethodGet, slow.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	_, cancelled := http.DefaultClient.Do(request) //nolint:bodyclose // it fails
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"a closed port": {
			fmt.Errorf("listing releases: failed to get server groups: %w", asking(t, closed+"/api?token=x", time.Minute)),
			"listing releases: " + closed + " does not answer: connection refused",
		},
		"too slow":    {asking(t, slow.URL, time.Millisecond), slow.URL + " does not answer: it took too long"},
		"no host":     {asking(t, "http://no-such.invalid/x", time.Minute), "http://no-such.invalid does not answer: "},
		"cancelled":   {cancelled, cancelled.Error()},
		"no file":     {fmt.Errorf("--kubeconfig: %w", missing), "--kubeconfig: there is no file no/such.file"},
		"no unit":     {flags.Parse([]string{"-t", "5"}), `--timeout "5": give a duration, such as 30s, 5m or 1h`},
		"no bool":     {flags.Parse([]string{"--wait=maybe"}), `--wait "maybe": give true or false`},
		"another":     {flags.Parse([]string{"--addresses=x"}), `invalid argument "x" for "--addresses" flag`},
		"not of Go's": {fmt.Errorf("shop is locked"), "shop is locked"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Of(c.err); !strings.HasPrefix(got, c.want) || strings.Contains(got, "dial tcp") {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}
