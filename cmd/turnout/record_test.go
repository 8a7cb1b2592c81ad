package main

import (
	"errors"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot"
	"github.com/turnout-dev/turnout/bot/command"
	"github.com/turnout-dev/turnout/record"
)

// TestALockSpeaksTheBotsWords locks through a real API server: the schema accepts the bot's
// longest reason, and errors are the bot's sentinels.
func TestALockSpeaksTheBotsWords(t *testing.T) {
	s := newSite(t)
	r := botRecord{&record.Record{Client: s.admin, Reader: s.admin}}
	app := client.ObjectKeyFromObject(s.app)
	decision := command.Decide(command.Situation{
		Command: command.Command{Verb: command.Lock, Reason: strings.Repeat("ä", 600)}, App: *s.app, By: "alice",
		Cause: v1alpha1.Cause{Kind: v1alpha1.CauseComment, CommentID: 7},
	})
	lock := *decision.Lock
	lock.At = metav1.Now()
	check(t, r.Lock(t.Context(), app, lock))
	if err := r.Lock(t.Context(), app, v1alpha1.Lock{By: "bob", At: metav1.Now(), Cause: lock.Cause}); !errors.Is(err, bot.ErrSet) {
		t.Errorf("a second lock: %v, want bot.ErrSet", err)
	}
	was, err := r.Unlock(t.Context(), app, "bob")
	check(t, err)
	if was == nil || was.By != "alice" || was.Reason != lock.Reason || was.Cause.CommentID != 7 {
		t.Errorf("unlocked %+v, want alice's lock as she gave it", was)
	}
	if was, err := r.Unlock(t.Context(), app, "bob"); was != nil || err != nil {
		t.Errorf("a second unlock: %+v, %v; want nothing", was, err)
	}
	nowhere := types.NamespacedName{Namespace: app.Namespace, Name: "nowhere"}
	if err := r.Lock(t.Context(), nowhere, lock); !errors.Is(err, bot.ErrNotFound) {
		t.Errorf("locking an unknown application: %v, want bot.ErrNotFound", err)
	}
	if _, err := r.Unlock(t.Context(), nowhere, "bob"); !errors.Is(err, bot.ErrNotFound) {
		t.Errorf("unlocking an unknown application: %v, want bot.ErrNotFound", err)
	}
}
