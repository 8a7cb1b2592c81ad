"""Migrations for blue-green: `expand` before a version starts, `contract` when no older one is left.

Migrations of the apps in CONTRACT_APPS are contracts. They remove what only older versions
need, so a version that is about to start never runs them. All others only add, and the version
that is still live must bear what they leave.
"""

import contextlib
import pathlib

from django.conf import settings
from django.core.management import CommandError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

# Any number, as long as nothing else locks with it in this database.
LOCK = 0x74757264

# How long a statement waits for a lock on a table. Requests queue up behind a migration that waits:
# it gives up long before users notice, and can be run again.
LOCK_TIMEOUT = "2s"

# Where Kubernetes reads what a container has to say at its end (terminationMessagePath in k8s/).
TERMINATION = pathlib.Path("run/termination")


def is_contract(migration):
    return migration.app_label in settings.CONTRACT_APPS


def plan_of(executor, contracts):
    """The migrations that are due: those of the contracts, or all others."""
    leaves = [leaf for leaf in executor.loader.graph.leaf_nodes() if (leaf[0] in settings.CONTRACT_APPS) == contracts]
    return leaves, [migration for migration, _ in executor.migration_plan(leaves)]


_expanded = False


def not_expanded():
    """The first migration that this version needs and the database lacks; "" if there is none."""
    global _expanded  # expands are never taken back, so one good answer is enough
    if not _expanded:
        _, due = plan_of(MigrationExecutor(connection), contracts=False)
        if due:
            return f"{due[0].app_label}.{due[0].name}"
        _expanded = True
    return ""


@contextlib.contextmanager
def alone():
    """Holds the lock: Kubernetes may start a Job's pod twice, and then the second one waits here.

    The lock belongs to the connection. So it ends with the process, however that ends.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        cursor.execute("SELECT set_config('lock_timeout', %s, false)", [LOCK_TIMEOUT])
    yield


def migrate(contracts):
    """Runs the migrations that are due. Returns their names."""
    with alone():
        executor = MigrationExecutor(connection)  # reads what was applied, so only with the lock
        leaves, due = plan_of(executor, contracts)
        for migration in due:
            name = f"{migration.app_label}.{migration.name}"
            if is_contract(migration) and not contracts:
                raise CommandError(f"an expand would run {name}, which is a contract: release the version before, and let its contract run")
            if contracts and not is_contract(migration):
                raise CommandError(f"a contract would run {name}, which is an expand: it belongs to a version that is not live")
        executor.migrate(leaves, [(migration, False) for migration in due])
    return [f"{migration.app_label}.{migration.name}" for migration in due]


def tell(done, write):
    """Says what was done; to Kubernetes, whether it was anything."""
    write("ran " + ", ".join(done) if done else "nothing to do")
    TERMINATION.parent.mkdir(exist_ok=True)
    TERMINATION.write_text("changed" if done else "unchanged", encoding="utf-8")
