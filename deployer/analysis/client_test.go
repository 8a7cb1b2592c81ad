package analysis

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// prometheus answers queries; anything else fails the test.
func prometheus(t *testing.T, answer http.HandlerFunc) *Client {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/prom/api/v1/query", answer)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("unexpected %s %s", r.Method, r.URL)
		w.WriteHeader(http.StatusNotImplemented)
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	c, err := New(Config{URL: srv.URL + "/prom", Transport: http.DefaultTransport, Lookback: true})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func success(data string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"status":"success","data":%s}`, data)
	}
}

func failure(code int, kind, message string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = fmt.Fprintf(w, `{"status":"error","errorType":%q,"error":%q}`, kind, message)
	}
}

const series = `{"metric":{"a":%q},"value":[1800000000,%q]}`

func TestQueryIsAskedForTheEndOfItsWindow(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 26, 8, 0, 1, 0, time.UTC)
	c := prometheus(t, func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		got := map[string]string{}
		for k := range r.Form {
			got[k] = r.Form.Get(k)
		}
		want := map[string]string{"query": "up", "time": fmt.Sprint(at.Unix()), "timeout": "10s", "lookback_delta": "1m0s"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the query (-want +got):\n%s", diff)
		}
		success(`{"resultType":"scalar","result":[1800000000,"2.5"]}`)(w, r)
	})
	v, err := c.Query(t.Context(), "up", at, time.Minute)
	if err != nil || v == nil || *v != 2.5 {
		t.Errorf("got %v, %v", v, err)
	}
}

func TestAnswersThatAreNoNumber(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
	t.Cleanup(elsewhere.Close)
	const refusal, silence = v1alpha1.NoVerdictRefused, v1alpha1.NoVerdictUnreachable
	tests := []struct {
		name   string
		answer http.HandlerFunc
		want   v1alpha1.NoVerdictReason // empty: no number, and no error
		text   string
	}{
		{"nothing", success(`{"resultType":"vector","result":[]}`), "", ""},
		{
			"two series", success(`{"resultType":"vector","result":[` + fmt.Sprintf(series, "x", "1") + "," + fmt.Sprintf(series, "y", "2") + `]}`),
			refusal, "2 series",
		},
		{"a matrix", success(`{"resultType":"matrix","result":[]}`), refusal, "it is a matrix"},
		{"a wrong query", failure(400, "bad_data", "parse error: unexpected {"), refusal, "parse error"},
		{"a query that fails", failure(422, "execution", "many-to-many"), refusal, "many-to-many"},
		{"a warning", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprint(w, `{"status":"success","warnings":["a store is away"],"data":{"resultType":"vector","result":[]}}`)
		}, refusal, "a store is away"},
		{"no right", failure(403, "", "denied"), silence, "403"},
		{"no right, and no such GET", func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				w.WriteHeader(http.StatusNotFound)
				return
			}
			w.WriteHeader(http.StatusForbidden)
			_, _ = fmt.Fprint(w, `{"error":{"code":403,"message":"denied on resource","status":"PERMISSION_DENIED"}}`)
		}, silence, "PERMISSION_DENIED"},
		{"no right to POST", func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			success(`{"resultType":"vector","result":[]}`)(w, r)
		}, "", ""},
		{"in trouble", failure(503, "unavailable", "starting"), silence, "starting"},
		{"sent elsewhere", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		}, silence, ""},
		{"no end", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprintf(w, `{"status":"success","x":%q}`, strings.Repeat("x", maxAnswer))
		}, silence, "too large"},
		{"no end, compressed", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			packed := gzip.NewWriter(w)
			_, _ = fmt.Fprintf(packed, `{"status":"success","x":%q}`, strings.Repeat("x", maxAnswer))
			_ = packed.Close()
		}, silence, "too large"},
		{"no data", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, `{"status":"success"}`) }, silence, "no result"},
		{"data of nothing", success(`null`), silence, "no result"},
		{"data without a type", success(`{}`), silence, ""},
		{"data of another type", success(`{"resultType":"matrices","result":[]}`), silence, ""},
		{"a text", success(`{"resultType":"string","result":[1800000000,"x"]}`), silence, `value type "string"`},
		{"a scalar of nothing", success(`{"resultType":"scalar","result":null}`), silence, ""},
		{"a vector of nothing", success(`{"resultType":"vector","result":null}`), "", ""},
		{"a series of nothing", success(`{"resultType":"vector","result":[null]}`), silence, "no result"},
		{"a series without a value", success(`{"resultType":"vector","result":[{"metric":{}}]}`), silence, ""},
		{
			"a histogram", success(`{"resultType":"vector","result":[{"metric":{},"histogram":[1800000000,{"count":"1","sum":"1","buckets":[]}]}]}`),
			refusal, "it is a histogram",
		},
		{"no JSON", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "<html>") }, silence, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v, err := prometheus(t, tt.answer).Query(t.Context(), "up", time.Now(), time.Minute)
			said, _ := errors.AsType[*QueryError](err)
			switch {
			case v != nil:
				t.Errorf("got the number %v", *v)
			case tt.want == "" && err != nil, tt.want != "" && (said == nil || said.Because != tt.want || !strings.Contains(said.Error(), tt.text)):
				t.Errorf("got the error %+v, want %s with %q", err, tt.want, tt.text)
			}
		})
	}
}

// silent never answers.
type silent struct{}

func (silent) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// trickling answers at once, with one byte per second.
type trickling struct{}

func (trickling) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(drops{r.Context()}), Request: r}, nil
}

type drops struct{ ctx context.Context }

func (d drops) Read(p []byte) (int, error) {
	select {
	case <-d.ctx.Done():
		return 0, d.ctx.Err()
	case <-time.After(time.Second):
		p[0] = ' '
		return 1, nil
	}
}

func TestAnAnswerIsWaitedForTenSeconds(t *testing.T) {
	t.Parallel()
	for name, transport := range map[string]http.RoundTripper{"silent": silent{}, "trickling": trickling{}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, err := New(Config{URL: "http://prometheus.example.com", Transport: transport})
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				all := Read(t.Context(), c, []Check{compiled(t, ""), compiled(t, "value < 1.0")}, Window{
					End: began, Of: Values{Color: "green"}, Beside: Values{Color: "blue"},
				})
				if Unreachable(all) == "" || time.Since(began) != queryLimit {
					t.Errorf("after %s: %+v", time.Since(began), all)
				}
			})
		})
	}
}

// If one of two checks cannot be queried, the other still is.
func TestEachCheckIsReadByItself(t *testing.T) {
	t.Parallel()
	c := prometheus(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.FormValue("query"), "bad") {
			failure(400, "bad_data", "no such function")(w, r)
			return
		}
		success(`{"resultType":"vector","result":[`+fmt.Sprintf(series, "x", "120")+`]}`)(w, r)
	})
	bad, wrong := compile(source{name: "bad", query: `bad("$color")`, samples: `x{c="$color"}`})
	version, wrong2 := compile(source{name: "v", query: `x{v="$version"}`, samples: `x{v="$version"}`})
	if len(wrong)+len(wrong2) > 0 {
		t.Fatal(wrong, wrong2)
	}
	read := func(of, beside string) []Reading {
		return Read(t.Context(), c, []Check{bad, compiled(t, ""), version}, Window{
			Of: Values{Color: "green", Version: of}, Beside: Values{Color: "blue", Version: beside},
		})
	}
	for _, tt := range []struct {
		of, beside string
		want       []v1alpha1.NoVerdictReason
	}{
		{"1", "2", []v1alpha1.NoVerdictReason{v1alpha1.NoVerdictRefused, "", ""}},
		{"", "2", []v1alpha1.NoVerdictReason{v1alpha1.NoVerdictRefused, "", v1alpha1.NoVerdictUnknown}},
		{"1", "1", []v1alpha1.NoVerdictReason{v1alpha1.NoVerdictRefused, "", v1alpha1.NoVerdictUnknown}},
	} {
		var got []v1alpha1.NoVerdictReason
		all := read(tt.of, tt.beside)
		for _, r := range all {
			got = append(got, r.Because)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" || Unreachable(all) != "" || *all[1].Value != 120 {
			t.Errorf("with versions %q and %q (-want +got):\n%s", tt.of, tt.beside, diff)
		}
	}
}
