from django.core.management.base import BaseCommand

from orders import rollout


class Command(BaseCommand):
    help = "Add what this version needs to the database, while the older version is live."

    def handle(self, *args, **options):
        rollout.tell(rollout.migrate(contracts=False), self.stdout.write)
