"""Removes what only versions before Order.customer need."""

from django.db import migrations


class Migration(migrations.Migration):
    initial = True

    dependencies = [("orders", "0002_customer")]

    operations = [
        migrations.RunSQL([
            "DROP TRIGGER IF EXISTS orders_order_names ON orders_order",
            "DROP FUNCTION IF EXISTS orders_order_names()",
            "ALTER TABLE orders_order DROP COLUMN IF EXISTS buyer",
        ]),
    ]
