package setup

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

// sessionLife is how long a person may take: as long as GitHub gives for a manifest.
const sessionLife = time.Hour

// newToken makes a token of 128 bits or more.
func newToken() string { return rand.Text() }

// matches compares a token in constant time. Without a token nothing matches.
func matches(token, given string) bool {
	want, got := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(given))
	return subtle.ConstantTimeCompare(want[:], got[:]) == 1 && token != ""
}

// newSession makes a session of whoever has the token: a random value and its end, signed.
func newSession(token string, now time.Time) string {
	return sign(token, "session", rand.Text()+"."+strconv.FormatInt(now.Add(sessionLife).Unix(), 10))
}

// validSession reports whether a session was made with this token and has not ended.
func validSession(token, session string, now time.Time) bool {
	content, ok := verify(token, "session", session)
	if !ok {
		return false
	}
	_, end, _ := strings.Cut(content, ".")
	seconds, err := strconv.ParseInt(end, 10, 64)
	return err == nil && now.Unix() < seconds
}

// newState makes the state that GitHub returns, which only this session can have sent.
func newState(token, session string) string { return sign(token, "state of "+session, rand.Text()) }

func validState(token, session, state string) bool {
	_, ok := verify(token, "state of "+session, state)
	return ok
}

// sign appends a code that only somebody who knows the token can make for this purpose.
func sign(token, purpose, content string) string {
	return content + "." + code(token, purpose, content)
}

func verify(token, purpose, signed string) (content string, ok bool) {
	at := strings.LastIndexByte(signed, '.')
	if at < 0 || token == "" {
		return "", false
	}
	content = signed[:at]
	return content, hmac.Equal([]byte(code(token, purpose, content)), []byte(signed[at+1:]))
}

func code(token, purpose, content string) string {
	mac := hmac.New(sha256.New, []byte(token))
	_, _ = mac.Write([]byte(purpose + "\n" + content)) // never fails
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
