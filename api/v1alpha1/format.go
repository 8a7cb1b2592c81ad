package v1alpha1

import "fmt"

// Format is the version of the record that this Turnout writes: the meaning of a Delivery
// and of the statuses of a BlueGreen and its Releases. Every write sets status.format; a
// record without it has format 1.
//
// Raise it, and mention it under "Upgrade" in docs/operations.md, if the previous version
// would act wrongly on the new record: because of a new step, milestone or phase, or a
// changed meaning of a field. Additions that the previous version may ignore do not raise
// it. Every version reads all earlier formats.
const Format int32 = 3

// NewerFormatError says that a newer version wrote a record. The caller must not write the
// record nor act on it, and reports that to a person.
type NewerFormatError struct {
	// Object is the record's kind and name: bluegreen shop/my-python-app.
	Object string
	// Format of the record.
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
