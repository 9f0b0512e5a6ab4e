"""A restored database is noticed by what stands outside it. Counters then leave out what may be used."""

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.forms.models import model_to_dict

from chain.contract.slots import folder_scope, slot_grant, slot_record
from chain.models import Act, Incarnation
from chain.outbox.submit import SERIALS_SKIPPED, next_number
from chain.restore import incarnation
from chain.restore.incarnation import advance, current, recent
from chain.restore.witness import read_witness, witness_folder
from chain.support.shared_clock import shared_now, ticks
from tests.chain_node import ChainNode, fresh_person

pytestmark = pytest.mark.django_db(transaction=True)

Rows = list[dict[str, Any]]


def back_up() -> Rows:
    """The table as a backup of the database has it."""
    return [model_to_dict(row) | {"began_at": row.began_at} for row in Incarnation.objects.all()]


def restore(rows: Rows) -> None:
    """Put the table back, and start all programs anew."""
    Incarnation.objects.all().delete()
    for row in rows:
        Incarnation.objects.create(**row)
    start_anew()


def stop_other_machines() -> None:
    """Leave no other machine that was sure of the database lately."""
    Incarnation.objects.update(beat_tick=None)


def start_anew() -> None:
    """As a process that has just started."""
    incarnation._memory.clear()


def test_a_database_has_one_life_however_often_its_programs_start() -> None:
    first = current()
    for _ in range(3):
        start_anew()
        assert advance().key == first.key
    assert (first.number, first.reason, recent().tick) == (1, "first", 3)
    seen = read_witness()
    assert seen is not None
    assert (seen.key, seen.tick, seen.copied) == (first.key, 3, False)


@pytest.mark.parametrize("programs", ["run on", "start anew"])
def test_a_database_that_is_behind_begins_another_life(programs: str) -> None:
    first, rows = advance(), back_up()
    advance()
    Incarnation.objects.update(tick=rows[0]["tick"])
    if programs == "start anew":
        start_anew()
    second = current()
    assert (second.number, second.reason) == (2, "restored")
    assert second.key != first.key
    start_anew()
    assert current() == second, "it is noticed once"
    assert incarnation.unsettled_restore() == second


def test_a_database_from_before_a_life_begins_another_with_a_higher_number() -> None:
    current()
    rows = back_up()
    Incarnation.objects.update(tick=5)
    advance()
    restore(rows)
    lost = current()
    restore(rows)
    again = current()
    assert (lost.number, again.number, again.reason) == (2, 3, "restored")
    Incarnation.objects.all().delete()
    start_anew()
    assert (current().number, current().reason) == (4, "restored"), "an empty database, too"


def test_nobody_knows_what_a_machine_without_a_witness_comes_to() -> None:
    current()
    shutil.rmtree(witness_folder())
    assert current().number == 1, "the process that has seen it knows"
    start_anew()
    stop_other_machines()
    shutil.rmtree(witness_folder(), ignore_errors=True)
    assert (current().number, current().reason) == (2, "unknown"), "no machine was sure of it lately"


def test_a_machine_that_comes_to_a_database_at_work_joins_it() -> None:
    first = advance()
    shutil.rmtree(witness_folder())
    start_anew()
    if connection.vendor == "sqlite":
        assert current().reason == "unknown", "a file of SQLite has one machine"
        return
    assert current() == first
    for lately in (shared_now() - ticks(timedelta(minutes=1)), shared_now() + ticks(timedelta(minutes=1))):
        shutil.rmtree(witness_folder())
        start_anew()
        Incarnation.objects.filter(number=current().number).update(beat_tick=lately)
        shutil.rmtree(witness_folder())
        start_anew()
        assert current().reason == "unknown"


def test_a_folder_of_all_state_that_was_copied_back_is_noticed(tmp_path: Path) -> None:
    advance()
    rows = back_up()
    shutil.copytree(witness_folder(), tmp_path / "witness")
    advance()
    shutil.rmtree(witness_folder())
    shutil.copytree(tmp_path / "witness", witness_folder())
    restore(rows)
    assert (current().number, current().reason) == (2, "unknown")
    start_anew()
    assert current().number == 2


def test_a_damaged_witness_is_none() -> None:
    current()
    for damaged in (b"", b"{", b"[]", b'{"number": 1}', b'{"number": 1, "key": "", "tick": "x", "mark": []}'):
        (witness_folder() / "seen").write_bytes(damaged)
        assert read_witness() is None
        before = current().number
        assert read_witness() is not None, "the process that knows writes it again"
        (witness_folder() / "seen").write_bytes(damaged)
        start_anew()
        stop_other_machines()
        assert current().number == before + 1


def test_another_machine_takes_over_the_life_that_one_has_begun() -> None:
    advance()
    behind = (witness_folder() / "seen").read_bytes()
    rows = back_up()
    advance()
    restore(rows)
    second = current()
    (witness_folder() / "seen").write_bytes(behind)
    start_anew()
    assert current() == second


def test_what_is_rolled_back_is_not_noted_outside() -> None:
    first = advance()

    with transaction.atomic():
        advance()
        transaction.set_rollback(True)
    start_anew()
    assert current() == first
    seen = read_witness()
    assert seen is not None
    assert seen.tick == 1


def test_a_folder_that_cannot_be_written_to_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    monkeypatch.setattr(settings, "VAR", blocked)
    assert current().number == 1
    assert advance().tick == 1
    assert recent().number == 1


def test_serials_leave_out_what_an_earlier_life_may_have_given(chain: ChainNode) -> None:
    patient, doctor = fresh_person(), fresh_person()
    slot = slot_grant(patient.address, doctor.address, "0x" + "0" * 40, folder_scope(1))
    grant = {
        "grantee": doctor.address,
        "via": "0x" + "0" * 40,
        "scope": folder_scope(1),
        "serial": next_number(slot),
    }
    assert grant["serial"] == 1
    patient.submit("RevokeAccess", **grant)
    assert next_number(slot) == 2
    incarnation.begin_restored()
    assert next_number(slot) == 2 + SERIALS_SKIPPED
    assert next_number(slot_record("0x" + "11" * 32)) == 1, "versions have no gaps"
    patient.submit("RevokeAccess", **grant | {"serial": next_number(slot)})
    assert next_number(slot) == 3 + SERIALS_SKIPPED, "once for each life"
    for _ in range(30):
        incarnation.begin_restored()
    assert next_number(slot) == 2 + SERIALS_SKIPPED + 1024, "the contract takes no wider step"
    patient.submit("RevokeAccess", **grant | {"serial": next_number(slot)})
    chain.settle()
    assert set(Act.objects.values_list("state", flat=True)) == {"confirmed"}
