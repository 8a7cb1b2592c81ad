package report

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// Digest hashes values, in order.
func Digest(parts ...any) string {
	raw, err := json.Marshal(parts)
	if err != nil { // plain strings and numbers always encode
		panic(fmt.Sprintf("bot: encoding a digest: %v", err))
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:16])
}
