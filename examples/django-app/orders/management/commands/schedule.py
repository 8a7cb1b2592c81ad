import os
import signal
import threading

from django.core.management.base import BaseCommand
from django.db import connection
from django.utils import timezone

from orders.models import SchedulerRun, Tick
from shop.version import VERSION

LOCK = 0x7469636B


class Command(BaseCommand):
    help = "Do what is due every TICK_SECONDS (60) until SIGTERM."

    def handle(self, *args, **options):
        stop = threading.Event()
        for sig in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sig, lambda *_: stop.set())
        run = SchedulerRun.objects.create(version=VERSION, started_at=timezone.now())
        # Kubernetes starts no second scheduler while it sees the first one. If a node is cut off, it
        # sees nothing and the first may go on: only a lock in the database knows.
        with connection.cursor() as cursor:
            while not stop.is_set():
                cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
                if cursor.fetchone()[0]:
                    break
                stop.wait(0.5)
        self.stdout.write(f"version {VERSION} schedules")
        while not stop.is_set():
            Tick.objects.create(run=run, at=timezone.now())
            stop.wait(float(os.environ.get("TICK_SECONDS", "60")))
        run.stopped_at = timezone.now()
        run.save(update_fields=["stopped_at"])
        self.stdout.write("stopped")
