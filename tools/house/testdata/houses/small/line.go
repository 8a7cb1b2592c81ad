package small

// Line calls into price.go, and names the type of order.go.
type Line struct{ of *Order }

func (l Line) price() int { return priceOf(l) }
