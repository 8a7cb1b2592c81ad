"""Order.buyer becomes Order.customer: here it gets a second name, and both versions can work.

A trigger keeps both columns alike, whichever version writes. orders_contract.0001 removes the old
one once no version is left that uses it.
"""

import time

from django.db import connection, migrations

# One transaction. Each statement may run twice: an earlier attempt may have ended after it.
BOTH_NAMES = """
ALTER TABLE orders_order ADD COLUMN IF NOT EXISTS customer varchar(100);
ALTER TABLE orders_order ALTER COLUMN buyer DROP NOT NULL;
CREATE OR REPLACE FUNCTION orders_order_names() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    NEW.customer := COALESCE(NEW.customer, NEW.buyer);
    NEW.buyer := COALESCE(NEW.buyer, NEW.customer);
  ELSIF NEW.customer IS DISTINCT FROM OLD.customer THEN
    NEW.buyer := NEW.customer;
  ELSIF NEW.buyer IS DISTINCT FROM OLD.buyer THEN
    NEW.customer := NEW.buyer;
  END IF;
  RETURN NEW;
END $$;
DROP TRIGGER IF EXISTS orders_order_names ON orders_order;
CREATE TRIGGER orders_order_names BEFORE INSERT OR UPDATE ON orders_order
  FOR EACH ROW EXECUTE FUNCTION orders_order_names();
"""

# One transaction each, so that no row is locked for long.
COPY = """
UPDATE orders_order SET customer = buyer WHERE id IN (
  SELECT id FROM orders_order WHERE customer IS NULL AND buyer IS NOT NULL LIMIT 1000 FOR UPDATE SKIP LOCKED)
"""

LEFT = "SELECT count(*) FROM orders_order WHERE customer IS NULL AND buyer IS NOT NULL"


def copy(apps, schema_editor):
    with connection.cursor() as cursor:
        left = 1
        while left:
            cursor.execute(COPY)
            if cursor.rowcount == 0:  # the rest is locked, or there is none
                cursor.execute(LEFT)
                (left,) = cursor.fetchone()
                time.sleep(0.1 if left else 0)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("orders", "0001_initial")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(BOTH_NAMES)],
            state_operations=[migrations.RenameField("order", "buyer", "customer")],
        ),
        migrations.RunPython(copy),
    ]
