import pathlib
import signal
import threading

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import connection, transaction
from django.utils import timezone

from orders.models import Completion, Order, Task
from shop.version import VERSION

# What the readiness probe looks for.
WORKING = pathlib.Path("run/working")

# How long to wait when the queue is empty.
IDLE_SECONDS = 0.2


def do_one():
    """Does the oldest task that nobody else is doing. Returns whether there was one.

    All in one transaction: if the process dies, the database forgets what it had begun, and
    another worker does the task. SKIP LOCKED lets many workers share a queue.
    """
    with transaction.atomic():
        task = Task.objects.select_for_update(skip_locked=True).filter(queue=settings.QUEUE, done_at__isnull=True).order_by("pk").first()
        if task is None:
            return False
        Order.objects.filter(pk=task.order_id).update(confirmed=True)
        Completion.objects.create(task=task, version=VERSION)
        task.done_at = timezone.now()
        task.save(update_fields=["done_at"])
    return True


class Command(BaseCommand):
    help = "Do the tasks of this colour's queue until SIGTERM; a task that was begun is finished first."

    def handle(self, *args, **options):
        stop = threading.Event()
        for sig in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sig, lambda *_: stop.set())
        connection.ensure_connection()
        WORKING.parent.mkdir(exist_ok=True)
        WORKING.touch()
        self.stdout.write(f"version {VERSION} works")
        while not stop.is_set():
            if not do_one():
                stop.wait(IDLE_SECONDS)
        WORKING.unlink()
        self.stdout.write("stopped")
