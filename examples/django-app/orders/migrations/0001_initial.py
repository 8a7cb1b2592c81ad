import django.db.models.deletion
from django.db import migrations, models

KEY = models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel("Order", [
            ("id", KEY.clone()),
            ("buyer", models.CharField(max_length=100)),
            ("confirmed", models.BooleanField(default=False)),
        ]),
        migrations.CreateModel("Task", [
            ("id", KEY.clone()),
            ("queue", models.CharField(default="", max_length=20)),
            ("done_at", models.DateTimeField(db_index=True, null=True)),
            ("order", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="orders.order")),
        ]),
        migrations.AddIndex("Task", models.Index(
            fields=["queue", "id"], name="orders_task_waiting", condition=models.Q(done_at__isnull=True))),
        migrations.CreateModel("Completion", [
            ("id", KEY.clone()),
            ("version", models.CharField(max_length=100)),
            ("task", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="orders.task")),
        ]),
        migrations.CreateModel("SchedulerRun", [
            ("id", KEY.clone()),
            ("version", models.CharField(max_length=100)),
            ("started_at", models.DateTimeField()),
            ("stopped_at", models.DateTimeField(null=True)),
        ]),
        migrations.CreateModel("Tick", [
            ("id", KEY.clone()),
            ("at", models.DateTimeField()),
            ("run", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="orders.schedulerrun")),
        ]),
    ]
