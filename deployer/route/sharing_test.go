package route

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestManyQuestionsAtOnceCostTwoAnswersAndNobodyGetsAnOldOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s sharing[string, time.Time]
		answers := 0
		began := func(ctx context.Context) (time.Time, error) {
			answers++
			at := time.Now()
			time.Sleep(time.Second)
			return at, ctx.Err()
		}
		var asking sync.WaitGroup
		for i := range 50 {
			asking.Go(func() {
				time.Sleep(time.Duration(i) * 10 * time.Millisecond)
				asked := time.Now()
				at, err := s.ask(t.Context(), "shop", began)
				if err != nil || at.Before(asked) {
					t.Errorf("asked at %s, the answer was begun at %s: %v", asked, at, err)
				}
			})
		}
		asking.Wait()
		if answers != 2 {
			t.Errorf("50 questions cost %d answers", answers)
		}
		if _, err := s.ask(t.Context(), "shop", began); err != nil || answers != 3 {
			t.Errorf("a later question cost %d answers more: %v", answers-2, err)
		}
	})
}

func TestQuestionsDoNotWaitForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s sharing[string, string]
		slow := func(context.Context) (string, error) { time.Sleep(time.Second); return "", nil }
		fast := func(context.Context) (string, error) { return "yes", nil }
		var asking sync.WaitGroup
		asking.Go(func() { _, _ = s.ask(t.Context(), "slow", slow) })
		synctest.Wait()
		began := time.Now()
		if got, err := s.ask(t.Context(), "fast", fast); got != "yes" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		if waited := time.Since(began); waited != 0 {
			t.Errorf("it waited %s for another question", waited)
		}
		asking.Wait()
	})
}

// A look that is interrupted must not take the answer away from the others.
func TestWhoeverGivesUpTakesNobodysAnswerAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s sharing[string, string]
		slow := func(ctx context.Context) (string, error) {
			select {
			case <-time.After(time.Second):
				return "yes", nil
			case <-ctx.Done():
				return "", ctx.Err()
			}
		}
		impatient, giveUp := context.WithCancel(t.Context())
		began := time.Now()
		var asking sync.WaitGroup
		for range 2 { // the second one waits until the first one's answer has ended
			asking.Go(func() {
				if _, err := s.ask(impatient, "shop", slow); !errors.Is(err, context.Canceled) || time.Since(began) != 0 {
					t.Errorf("whoever gave up got %v after %s", err, time.Since(began))
				}
			})
			synctest.Wait()
		}
		asking.Go(func() {
			if got, err := s.join(t.Context(), "shop", slow); got != "yes" || err != nil {
				t.Errorf("the other one got %q, %v", got, err)
			}
		})
		synctest.Wait()
		giveUp()
		asking.Wait()
	})
}

func TestPanicOfAnAnswerIsAnErrorOfAllWhoAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s sharing[string, string]
		broken := func(context.Context) (string, error) { time.Sleep(time.Second); panic("crafted") }
		var asking sync.WaitGroup
		for range 3 {
			asking.Go(func() {
				if _, err := s.ask(t.Context(), "shop", broken); err == nil || !strings.Contains(err.Error(), "crafted") {
					t.Errorf("got %v", err)
				}
			})
		}
		asking.Wait()
	})
}

func TestAnswerThatNeverComesIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s sharing[string, string]
		never := func(ctx context.Context) (string, error) { <-ctx.Done(); return "", ctx.Err() }
		if _, err := s.ask(t.Context(), "shop", never); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}
