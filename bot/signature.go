package bot

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// Secrets are the accepted webhook secrets. There may be several, so that one can be
// replaced without losing a delivery. Make them with [NewSecrets]; the zero value accepts
// nothing.
type Secrets struct {
	keys [][]byte
}

// minSecret is the least length of a webhook secret, in bytes. Whoever guesses the secret
// can deploy, and one signed body is enough to guess offline, unnoticed. GitHub asks for "a
// random string of text with high entropy" (GitHub docs, "Validating webhook deliveries").
const minSecret = 16

// NewSecrets refuses an empty list, and empty or short secrets: without a secret everybody
// could deploy.
func NewSecrets(secrets ...string) (Secrets, error) {
	if len(secrets) == 0 {
		return Secrets{}, errors.New("no webhook secret: put at least one into the file of --webhook-secret-file, one per line")
	}
	var s Secrets
	for _, secret := range secrets {
		if strings.TrimSpace(secret) == "" {
			return Secrets{}, errors.New("empty webhook secret: remove the empty line from the file of --webhook-secret-file")
		}
		if len(secret) < minSecret {
			return Secrets{}, fmt.Errorf("a webhook secret of %d bytes can be guessed, the minimum is %d: make one with `openssl rand -hex 32`, "+
				"set it in the GitHub App's settings, and put it into the file of --webhook-secret-file", len(secret), minSecret)
		}
		s.keys = append(s.keys, []byte(secret))
	}
	return s, nil
}

// Verify reports whether the value of the header X-Hub-Signature-256 is the
// HMAC-SHA256 of the raw body with one of the secrets. It compares in constant
// time and tries every secret.
func (s Secrets) Verify(header string, body []byte) bool {
	got := parseSignature(header)
	if got == nil {
		return false
	}
	valid := false
	for _, secret := range s.keys {
		if hmac.Equal(got, mac(secret, body)) {
			valid = true
		}
	}
	return valid
}

// parseSignature returns the MAC of a header; nil if it is not sha256= and 64 hexadecimal
// digits.
func parseSignature(header string) []byte {
	hexMAC, found := strings.CutPrefix(header, "sha256=")
	got, err := hex.DecodeString(hexMAC)
	if !found || err != nil || len(got) != sha256.Size {
		return nil
	}
	return got
}

// Sign returns the header X-Hub-Signature-256 for a body, as GitHub makes it. `turnout
// simulate` uses it.
func Sign(secret string, body []byte) string {
	return "sha256=" + hex.EncodeToString(mac([]byte(secret), body))
}

func mac(secret, body []byte) []byte {
	h := hmac.New(sha256.New, secret)
	h.Write(body)
	return h.Sum(nil)
}
