package track

import "testing"

func TestTargetIsAsBigAsWhatItTakesOver(t *testing.T) {
	scaled := func(least, most int32) Autoscaler { return Autoscaler{Name: "hpa", Min: least, Max: most} }
	for name, tt := range map[string]struct {
		least        int32
		live, target Side
		size, wanted int32
	}{
		"as live runs":                         {1, Side{Replicas: 3}, Side{Replicas: 9}, 3, 3},
		"never less than the spec's least":     {4, Side{Replicas: 3}, Side{}, 4, 4},
		"never less than live's minimum":       {1, Side{Replicas: 3, Autoscaler: scaled(5, 9)}, Side{}, 5, 5},
		"never less than the target's minimum": {1, Side{Replicas: 3}, Side{Autoscaler: scaled(6, 9)}, 6, 6},
		"never more than it is left":           {1, Side{Replicas: 30}, Side{Autoscaler: scaled(1, 9)}, 9, 30},
		"live's maximum is not the target's":   {1, Side{Replicas: 30, Autoscaler: scaled(1, 9)}, Side{}, 30, 30},
	} {
		if size, wanted := Size(tt.least, tt.live, tt.target); size != tt.size || wanted != tt.wanted {
			t.Errorf("%s: size %d of %d wanted, want %d of %d", name, size, wanted, tt.size, tt.wanted)
		}
	}
}

func TestAutoscalerIsRaisedWhereItWouldShrinkTheTarget(t *testing.T) {
	hpa := func(current int32) Autoscaler { return Autoscaler{Name: "hpa", Current: current, Max: 5} }
	overruled := hpa(1)
	overruled.Overruled = true
	for name, tt := range map[string]struct {
		a    Autoscaler
		size int32
		want bool
	}{
		"there is none":                      {Autoscaler{Current: 1, Max: 5}, 3, false},
		"its minimum is less":                {hpa(2), 3, true},
		"its minimum is as much":             {hpa(3), 3, false},
		"its minimum is more":                {hpa(4), 3, false},
		"its minimum is its maximum":         {hpa(5), 9, false},
		"its minimum can be raised so far":   {hpa(4), 9, true},
		"somebody has set the minimum since": {overruled, 3, false},
	} {
		if got := tt.a.Below(tt.size); got != tt.want {
			t.Errorf("%s: it must be raised for %d: %v, want %v", name, tt.size, got, tt.want)
		}
	}
}
