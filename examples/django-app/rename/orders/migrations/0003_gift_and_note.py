"""Two new columns that the older version does not write, in the two ways that it bears.

Django's own AddField with a default would not do: Django removes the default from the column as soon
as the rows have it, so the older version's next INSERT would fail.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0002_customer")]

    operations = [
        # With null: the older version leaves it empty.
        migrations.AddField("order", "note", models.TextField(null=True)),
        # With a default of the database's own, which stays.
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL("ALTER TABLE orders_order ADD COLUMN gift boolean NOT NULL DEFAULT false")],
            state_operations=[migrations.AddField("order", "gift", models.BooleanField(default=False))],
        ),
    ]
