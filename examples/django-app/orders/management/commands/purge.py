from datetime import timedelta

from django.core.management.base import BaseCommand
from django.utils import timezone

from orders.models import Task


class Command(BaseCommand):
    help = "Remove tasks that were done more than 30 days ago."

    def handle(self, *args, **options):
        removed, _ = Task.objects.filter(done_at__lt=timezone.now() - timedelta(days=30)).delete()
        self.stdout.write(f"removed {removed}")
