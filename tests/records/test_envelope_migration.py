"""A database from before lists had a row for each context: nothing of it is lost."""

from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone
from pytest_django import DjangoDbBlocker

from tests.faults.databases import Database
from tests.faults.processes import ask

BEFORE = [("records", "0007_request_answers"), ("chain", "0006_acknowledged_findings")]
PATIENT, DOCTOR, STRANGER = ("0x" + letter * 40 for letter in "ade")
SENT, FROM_ELSEWHERE, DESCRIPTION = ("0x" + letter * 64 for letter in "123")
SCOPE = f"0x{1:064x}"


@pytest.mark.skipif(
    not settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"), reason="a database of its own is a file"
)
def test_lists_and_envelopes_come_along(tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> None:
    with django_db_blocker.unblock():
        rows = ask(_migrate_a_former_database, Database(str(tmp_path / "former.sqlite3")))
    assert rows["envelopes"] == [
        (SENT, DOCTOR, "0x" + "4" * 64, True, False),
        (SENT, PATIENT, "0x" + "5" * 64, True, False),
        (FROM_ELSEWHERE, DOCTOR, "0x" + "6" * 64, False, True),
    ]
    assert rows["lists"] == [(SENT, 1, PATIENT, SCOPE, 7), (FROM_ELSEWHERE, 1, STRANGER, SCOPE, 0)]
    assert rows["digests"] == [SENT, DESCRIPTION]


def _migrate_a_former_database(database: Database) -> dict[str, list[Any]]:
    database.use()
    executor = MigrationExecutor(connection)
    executor.migrate(BEFORE)
    _fill(executor.loader.project_state(BEFORE).apps)
    call_command("migrate", interactive=False, verbosity=0, skip_checks=True)
    lists, envelopes = apps.get_model("records", "EnvelopeList"), apps.get_model("records", "Envelope")
    fields = ("list__digest", "recipient", "digest", "verified", "deleted_at")
    rows = envelopes.objects.order_by("digest").values_list(*fields)
    return {
        "lists": list(
            lists.objects.order_by("digest").values_list("digest", "purpose", "sender", "scope", "epoch")
        ),
        "envelopes": [(*row[:4], row[4] is not None) for row in rows],
        "digests": sorted(apps.get_model("chain", "EventDigest").objects.values_list("pk", flat=True)),
    }


def _fill(former: Any) -> None:
    """A list that was sent from here, and one of somebody who is not from here. The second has ended."""
    act, block, event = (former.get_model("chain", name) for name in ("Act", "Block", "Event"))
    lists, envelopes = former.get_model("records", "EnvelopeList"), former.get_model("records", "Envelope")
    act.objects.create(
        kind="GrantAccess",
        author=PATIENT,
        subject=PATIENT,
        fields={"envelopes": SENT},
        digest="0x" + "9" * 64,
        signature=b"",
        slot="grant",
        number=1,
    )
    mined = block.objects.create(number=1, hash="0x" + "8" * 64, time=timezone.now())
    event.objects.create(
        block=mined,
        block_number=1,
        block_hash=mined.hash,
        block_time=mined.time,
        log_index=0,
        tx_hash="0x" + "7" * 64,
        name="RecordAdded",
        author=PATIENT,
        subject=PATIENT,
        args={"description": DESCRIPTION, "envelopes": SENT, "folder": 1, "secret": "0x" + "5" * 80},
        act_digest="0x" + "9" * 64,
        slot="record",
        number=1,
    )
    for digest, sender, epoch in ((SENT, PATIENT, 7), (FROM_ELSEWHERE, STRANGER, 0)):
        lists.objects.create(
            digest=digest, purpose=1, sender=sender, patient=sender, scope=SCOPE, epoch=epoch
        )
    for number, (listed, recipient, ended) in enumerate(
        [(SENT, DOCTOR, None), (SENT, PATIENT, None), (FROM_ELSEWHERE, DOCTOR, timezone.now())], start=4
    ):
        envelopes.objects.create(
            list_id=listed,
            recipient=recipient,
            key_digest="0x" + "0" * 64,
            digest="0x" + str(number) * 64,
            deleted_at=ended,
        )
