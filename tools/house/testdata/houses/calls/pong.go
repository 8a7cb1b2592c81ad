package calls

func pong[T ~int](n T) { ping(int(n)) }
