package bot

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
)

// Secrets are the webhook secrets that a signature may be made with: several, so
// that one can be replaced without losing a delivery. Make them with
// [NewSecrets]; the zero value accepts nothing.
type Secrets struct {
	keys [][]byte
}

// NewSecrets refuses none and empty ones: without a secret anybody could deploy.
func NewSecrets(secrets ...string) (Secrets, error) {
	if len(secrets) == 0 {
		return Secrets{}, errors.New("no webhook secret: put at least one into the file of --webhook-secret-file, one a line")
	}
	var s Secrets
	for _, secret := range secrets {
		if strings.TrimSpace(secret) == "" {
			return Secrets{}, errors.New("empty webhook secret: take the empty line out of the file of --webhook-secret-file")
		}
		s.keys = append(s.keys, []byte(secret))
	}
	return s, nil
}

// Verify reports whether the value of the header X-Hub-Signature-256 is the
// HMAC-SHA256 of the raw body with one of the secrets. It compares in constant
// time and tries every secret.
func (s Secrets) Verify(header string, body []byte) bool {
	hexMAC, found := strings.CutPrefix(header, "sha256=")
	got, err := hex.DecodeString(hexMAC)
	if !found || err != nil || len(got) != sha256.Size {
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

// Sign returns the value of the header X-Hub-Signature-256 for a body, as GitHub
// makes it: what `turnout simulate` sends.
func Sign(secret string, body []byte) string {
	return "sha256=" + hex.EncodeToString(mac([]byte(secret), body))
}

func mac(secret, body []byte) []byte {
	h := hmac.New(sha256.New, secret)
	h.Write(body)
	return h.Sum(nil)
}
