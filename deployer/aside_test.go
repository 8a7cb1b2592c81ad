package deployer

import (
	"errors"
	"strings"
	"testing"
)

func TestWhatRunsAsideEndsInItsAsker(t *testing.T) {
	t.Parallel()
	failed := errors.New("failed")
	ask := aside(func() (int, error) { return 7, failed })
	for range 2 {
		if got, err := ask(); got != 7 || !errors.Is(err, failed) {
			t.Errorf("the result is %d, %v", got, err)
		}
	}
	ask = aside(func() (int, error) { panic("a crafted object") })
	for range 2 {
		func() {
			defer func() {
				if v, ok := recover().(string); !ok || !strings.Contains(v, "a crafted object") || !strings.Contains(v, "aside_test.go") {
					t.Errorf("asking panics with %q, want what panicked, and where", v)
				}
			}()
			got, err := ask()
			t.Errorf("the result is %d, %v, want a panic", got, err)
		}()
	}
}
