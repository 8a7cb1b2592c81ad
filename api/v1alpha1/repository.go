package v1alpha1

import "strings"

// Pinned is the repository that the application is pinned to under the name in its spec;
// nil before the first contact.
func (b *BlueGreen) Pinned() *RepositoryPin {
	if p := b.Status.Repository; p != nil && strings.EqualFold(p.Name, b.Spec.Repository) {
		return p
	}
	return nil
}

// Follows reports whether an application is of the repository that a webhook names. After
// the first contact the number decides: a renamed repository is found, and another one that
// took over its name is not. The number may be unknown, 0.
func (b *BlueGreen) Follows(repository string, id int64) bool {
	switch pin := b.Pinned(); {
	case pin != nil && id != 0:
		return pin.ID == id
	case pin != nil && pin.Found != 0: // the name leads to another repository
		return false
	}
	return strings.EqualFold(b.Spec.Repository, repository)
}
