package cloudbuild

import "regexp"

var poolName = regexp.MustCompile(`^projects/([a-z0-9:.-]+)/locations/[a-z0-9-]+/workerPools/[a-z0-9-]+$`)

// PoolProject is the project of the private pool that the file requests, or "" if it requests
// none. An error is a *FileError: a pool of an unknown project must not be used with the rights
// of the account that starts the build.
func (f *File) PoolProject(r Request) (string, error) {
	options := f.Build.GetOptions()
	x := r.expander(f)
	project := ""
	old := options.GetWorkerPool() //nolint:staticcheck // the file may use the field's old name
	for _, name := range []string{options.GetPool().GetName(), old} {
		if name == "" {
			continue
		}
		expanded, err := x.expand(name, maxImageBytes)
		if err != nil {
			return "", f.expandFault("options.pool", err)
		}
		m := poolName.FindStringSubmatch(expanded.text)
		if m == nil || project != "" && project != m[1] {
			return "", f.fault("options.pool", "names the pool "+clipped(expanded.text)+", which does not name its project",
				"name it as projects/PROJECT/locations/LOCATION/workerPools/POOL")
		}
		project = m[1]
	}
	return project, nil
}
