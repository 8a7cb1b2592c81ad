package way

type goer interface{ byInterface() }

type gone struct{ base }

func (base) byInterface() {
	if fallback != nil {
		fallback()
	}
}

var fallback = end

func end() {}

func apart() { start() }
