package deployer

import (
	"fmt"
	"runtime/debug"
	"sync"
)

// aside runs a function beside its caller. The result waits for the end, however often it is asked. If
// the function panics, so does the result: that ends the look which asks, and not the process.
func aside[T any](do func() (T, error)) func() (T, error) {
	type outcome struct {
		value    T
		err      error
		panicked string
	}
	ended := make(chan outcome, 1) // nobody may ask
	go func() {
		var o outcome
		defer func() {
			if v := recover(); v != nil {
				o.panicked = fmt.Sprintf("%v\n%s", v, debug.Stack())
			}
			ended <- o
		}()
		o.value, o.err = do()
	}()
	return sync.OnceValues(func() (T, error) {
		o := <-ended
		if o.panicked != "" {
			panic(o.panicked)
		}
		return o.value, o.err
	})
}
