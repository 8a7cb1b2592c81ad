// Package calls has two files that call each other, one by a generic function, and
// a third that is part of the circle only by a function's value.
package calls

func ping(n int) {
	if n > 0 {
		pong[int](n - 1)
	}
	table()[0](n)
}
