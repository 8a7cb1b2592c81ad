// Package prose makes a text from outside fit to be stored and shown: texts of pods,
// builds, servers and people. [Line], [Block] and [Tail] do all of the following, in this
// order:
//
//  1. neutralise: remove what a terminal, a workflow's runner or a reader's eye would
//     obey instead of showing. This comes first, since a token that is partly coloured
//     has an escape sequence inside.
//  2. mask: replace secrets of known shapes by ***.
//  3. clip to a size, as JSON stores it. This comes last, since half a secret has no
//     shape.
//
// Applying them twice gives the same result. So a text can be made fit both where it arises
// and where it is stored, and compared in between. [By], [Locked] and the functions for
// times word what several surfaces show alike.
//
// # Decisions
//
// Masking uses shapes, not entropy: a commit's hash, an image's digest and a pod's name
// look as random as a key, and people need them in a message. It misses secrets with
// neither a known shape nor a telling name.
//
// In doubt it masks a word too many. That sometimes costs a word of an error message
// ("password: wrong" becomes "password: ***").
//
// Sizes count as encoding/json stores a text, where < has six bytes, since a record is
// refused by its stored size.
package prose
