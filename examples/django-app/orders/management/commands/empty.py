import sys

from django.conf import settings
from django.core.management.base import BaseCommand

from orders.models import Task


class Command(BaseCommand):
    help = "Exit with 0 if this colour's queue is empty and no task of it is being done, with 1 if not."

    def handle(self, *args, **options):
        # A task that a worker has taken counts: it is done once its transaction has ended.
        left = Task.objects.filter(queue=settings.QUEUE, done_at__isnull=True).count()
        self.stdout.write(f"{left} tasks left")
        sys.exit(1 if left else 0)
