package v1alpha1

import "fmt"

// Format is the number of the record's format that this version writes: what a
// Delivery, and the statuses of a BlueGreen and of its Releases, mean to whoever acts
// on them. Every write stamps it in status.format; a record without one has format 1.
//
// Raise it, and say so under "Upgrade" in docs/operations.md, when the version before
// would act wrongly on what this one writes: for a new step, milestone or phase, or
// another meaning of a field. What the version before may pass over does not raise it.
// Every version reads the formats before its own.
const Format int32 = 1

// NewerFormatError says that a newer version wrote a record. Whoever gets it neither
// writes that record nor acts on it, and tells a person.
type NewerFormatError struct {
	// Object is its kind and name: bluegreen shop/my-python-app.
	Object string
	// Format it is in.
	Format int32
}

func (e *NewerFormatError) Error() string {
	return fmt.Sprintf("%s was written by a newer Turnout, in format %d of the record, and this one knows formats up to %d: nothing of "+
		"it was changed; upgrade this Turnout to the version of the newer one", e.Object, e.Format, Format)
}

// Readable is a [*NewerFormatError] if a newer version wrote the application.
func (b *BlueGreen) Readable() error {
	return readable("bluegreen", b.Namespace, b.Name, b.Status.Format)
}

// Readable is a [*NewerFormatError] if a newer version wrote the release.
func (r *Release) Readable() error {
	return readable("release", r.Namespace, r.Name, r.Status.Format)
}

// Readable is a [*NewerFormatError] if a newer version wrote the delivery.
func (d *Delivery) Readable() error {
	return readable("delivery", d.Namespace, d.Name, d.Status.Format)
}

func readable(kind, namespace, name string, format int32) error {
	if format <= Format {
		return nil
	}
	return &NewerFormatError{Object: kind + " " + namespace + "/" + name, Format: format}
}
