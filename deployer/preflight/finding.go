package preflight

import (
	"fmt"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// about makes findings about one object.
type about struct{ object string }

// about names an object of the application's namespace.
func (f Facts) about(kind, name string) about {
	return about{fmt.Sprintf("%s %s/%s", kind, f.App.Namespace, name)}
}

func (o about) fault(reason, field, format string, args ...any) v1alpha1.Finding {
	return v1alpha1.Finding{
		Severity: v1alpha1.SeverityError, Reason: reason, Object: o.object, Field: field,
		Message: fmt.Sprintf(format, args...),
	}
}

func (o about) warning(reason, field, format string, args ...any) v1alpha1.Finding {
	finding := o.fault(reason, field, format, args...)
	finding.Severity = v1alpha1.SeverityWarning
	return finding
}
