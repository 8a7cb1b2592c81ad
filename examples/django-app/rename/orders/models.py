"""What the database holds: orders, a queue of tasks, and what the scheduler did."""

from django.db import models


class Order(models.Model):
    customer = models.CharField(max_length=100)
    confirmed = models.BooleanField(default=False)
    note = models.TextField(null=True)
    gift = models.BooleanField(default=False)


class Task(models.Model):
    """A task of the queue. A worker confirms one order with it."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE)
    queue = models.CharField(max_length=20, default="")
    done_at = models.DateTimeField(null=True, db_index=True)

    class Meta:
        # So that a worker finds the next task at once, however many were done.
        indexes = [models.Index(fields=["queue", "id"], name="orders_task_waiting", condition=models.Q(done_at__isnull=True))]


class Completion(models.Model):
    """Each time that a task was done: two for one task would be one too many."""

    task = models.ForeignKey(Task, on_delete=models.CASCADE)
    version = models.CharField(max_length=100)


class SchedulerRun(models.Model):
    """A process of the scheduler, from its start to its end."""

    version = models.CharField(max_length=100)
    started_at = models.DateTimeField()
    stopped_at = models.DateTimeField(null=True)


class Tick(models.Model):
    """Each time that the scheduler was due."""

    run = models.ForeignKey(SchedulerRun, on_delete=models.CASCADE)
    at = models.DateTimeField()
