from django.core.management.base import BaseCommand

from orders import rollout


class Command(BaseCommand):
    help = "Remove from the database what only versions before this one need."

    def handle(self, *args, **options):
        rollout.tell(rollout.migrate(contracts=True), self.stdout.write)
