package small

// priceOf closes the circle by use; by calls there is none, since a conversion and a
// constant are no calls.
func priceOf(l Line) int {
	if l.of == (*Order)(nil) {
		return 0
	}
	return len(l.of.Lines)
}
