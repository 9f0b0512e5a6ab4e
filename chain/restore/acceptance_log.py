"""Every act that was accepted, in a file that no backup restores (VAR/witness): signed bytes, no words.

A restored database forgets what was accepted since the backup. Each machine has here what it accepted:
what is not on the chain is accepted again, or its author is told. The files have 5,000 acts or more.
"""

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from chain.models import Act, Incarnation, LostAct
from chain.models.bulk import batches, insert_rows
from chain.restore.witness import alone, witness_folder

logger = logging.getLogger(__name__)

KEPT_BYTES = 16 * 1024 * 1024  # of each of two files
_DONE = "collected"


def note_acceptance(act: Act) -> None:
    """Keep an act outside the database, once the transaction that accepts it is certain."""
    line = json.dumps(
        {
            "digest": act.digest,
            "kind": act.kind,
            "fields": act.fields,
            "signature": bytes(act.signature).hex(),
            "contract_signed": act.contract_signed,
            "at": timezone.now().isoformat(),
        }
    )
    transaction.on_commit(lambda: _append(line))


def collect_lost_acts() -> int:
    """Bring what this machine knows into a database that was restored, once for each restore; how many.

    Outside any transaction.
    """
    life = Incarnation.objects.filter(reason=Incarnation.Reason.RESTORED).first()
    if life is None or _collected() == life.key:
        return 0
    with alone("collecting"):
        if _collected() == life.key:
            return 0
        rows = list(_unknown())
        with transaction.atomic():
            insert_rows(rows, unique=("digest",))
            if rows:
                Incarnation.objects.filter(pk=life.pk).update(settled_at=None, ends_accepted_at=None)
        _write(_DONE, life.key)
    return len(rows)


def _unknown() -> Iterator[LostAct]:
    for chunk in batches(_read()):
        digests = [row.digest for row in chunk]
        known = set(Act.objects.filter(digest__in=digests).values_list("digest", flat=True))
        known.update(LostAct.objects.filter(digest__in=digests).values_list("digest", flat=True))
        yield from (row for row in chunk if row.digest not in known)


def _read() -> Iterator[LostAct]:
    """Yield the acts in the order in which they were accepted. A line that was cut off is passed over."""
    for name in ("accepted.1", "accepted"):
        try:
            lines = (witness_folder() / name).read_text(errors="replace").splitlines()
        except OSError:
            continue
        yield from (row for line in lines if (row := _row(line)) is not None)


def _row(line: str) -> LostAct | None:
    try:
        fields: dict[str, Any] = json.loads(line)
        at = parse_datetime(fields["at"])
        return LostAct(
            digest=fields["digest"],
            kind=fields["kind"],
            author=fields["fields"]["author"],
            fields=fields["fields"],
            signature=bytes.fromhex(fields["signature"]),
            contract_signed=fields["contract_signed"],
            accepted_at=at or timezone.now(),
        )
    except (ValueError, KeyError, TypeError):
        return None


def _append(line: str) -> None:
    folder = witness_folder()
    path = folder / "accepted"
    try:
        try:
            size = _write_line(path, line)
        except FileNotFoundError:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            size = _write_line(path, line)
        if size > KEPT_BYTES:
            path.replace(folder / "accepted.1")
    except OSError as error:  # a full disk: the act itself is in the database
        logger.warning("VAR/witness cannot be written: %s", error)


def _write_line(path: Path, line: str) -> int:
    """Append a line in one piece, as several processes do at once; the size of the file."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, line.encode() + b"\n")
        return os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)


def _collected() -> str:
    try:
        return (witness_folder() / _DONE).read_text()
    except OSError:
        return ""


def _write(name: str, text: str) -> None:
    folder: Path = witness_folder()
    try:
        (folder / name).write_text(text)
    except OSError as error:
        logger.warning("VAR/witness cannot be written: %s", error)
