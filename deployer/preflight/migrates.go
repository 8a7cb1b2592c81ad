package preflight

import (
	"fmt"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// migration matches the commands by which the frameworks of Python, Ruby, Node.js, PHP and Go
// change a schema.
var migration = regexp.MustCompile(`(?:^|[\s/;&|(])(?:` + strings.Join([]string{
	`(?:manage\.py|django-admin(?:\.py)?|-m\s+django)\s+migrate`,
	`alembic\s+(?:\S+\s+)*upgrade`,
	`(?:flask|-m\s+flask)\s+(?:\S+\s+)*db\s+upgrade`,
	`aerich\s+upgrade`,
	`(?:rails|rake)\s+db:(?:migrate|prepare|schema:load)`,
	`prisma\s+(?:migrate\s+deploy|db\s+push)`,
	`(?:knex|sequelize(?:-cli)?|typeorm)\s+(?:migrate:latest|db:migrate|migration:run)`,
	`artisan\s+migrate`,
	`(?:flyway|liquibase)\s+(?:\S+\s+)*(?:migrate|update)`,
	`(?:goose|dbmate|migrate)\s+(?:\S+\s+)*up`,
}, "|") + `)(?:$|[\s;&|)])`)

// migrates warns of pods that change the schema when they start: staging then changes it under the
// live version, before the gate and before any approval, and with each pod again.
func migrates(f Facts) []v1alpha1.Finding {
	var all []v1alpha1.Finding
	for _, t := range f.staged() {
		for _, of := range []struct {
			field string
			list  []corev1.Container
		}{{"initContainers", t.Spec.InitContainers}, {"containers", t.Spec.Containers}} {
			for _, c := range of.list {
				for _, part := range []struct {
					field string
					words []string
				}{{"command", c.Command}, {"args", c.Args}} {
					found := migration.FindString(strings.Join(part.words, " "))
					if found == "" {
						continue
					}
					field := fmt.Sprintf("spec.template.spec.%s[%s].%s", of.field, c.Name, part.field)
					all = append(all, f.about("deployment", t.Deployment).warning("MigratesAtStart", field,
						"it runs %q, so each pod changes the schema when it starts: under the live version, before the health gate and before an "+
							"approval, several at the same time. Name the command in spec.migrations.expand, which runs it once, and take it out "+
							"here", strings.Trim(found, " \t\n;&|()")))
				}
			}
		}
	}
	return all
}
