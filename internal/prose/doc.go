// Package prose makes a text from outside fit to be kept and shown: what pods,
// builds, servers and people wrote. [Line], [Block] and [Tail] do the whole of it,
// in this order:
//
//  1. neutral: what a terminal, a workflow's runner or a reader's eye would obey
//     instead of showing is taken out. It comes first, since a token that is
//     coloured half way has an escape sequence in it.
//  2. masked: secrets of known shapes become ***.
//  3. clipped, to a size as JSON stores it. It comes last, since the half of a
//     secret has no shape.
//
// The same text comes out of a text that came out before, so that it may be done
// both where a text arises and where it is written down, and compared in between.
//
// # Decisions
//
// Shapes instead of entropy: a commit's hash, an image's digest and a pod's name
// look as random as a key, and are what people look for in a message. It costs the
// secrets that have neither a known shape nor a telling name.
//
// In doubt a word too much is masked. It costs a word of an error message now and
// then ("password: wrong" reads "password: ***").
//
// Sizes are counted as encoding/json stores them, where < has six bytes, since a
// record is refused by its stored size.
package prose
