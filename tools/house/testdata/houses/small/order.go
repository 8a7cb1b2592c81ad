// Package small has three files in one circle, one of them by a type alone, and
// two files outside of it.
package small

// Order uses Line's method.
type Order struct {
	Lines []Line
	base
}

// Total calls into line.go.
func (o *Order) Total() int {
	total := 0
	for _, l := range o.Lines {
		total += l.price()
	}
	return total + tax
}
