"""A database of an hour ago is put back: what was accepted since comes back, or is told to its author."""

from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.models import Model
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.actor import Actor
from accounts.models import Errand, Notification, OpenVault
from accounts.services import tokens
from accounts.services.errands import decisions_for
from chain.errors import ChainUnavailable
from chain.models import Act, Incarnation, LostAct
from chain.node.deployment import deployment
from chain.operations.deploy import send_and_wait
from chain.relayer.forgotten import Watch
from chain.restore import incarnation
from chain.restore.acceptance_log import collect_lost_acts
from chain.restore.witness import witness_folder
from chain.status import freshness, lag
from chain.status.health import Unhealthy
from chain.status.health_checks import check_reading
from chain.tasks import sync
from medrec.prepare import notice_restore
from records import content as contents
from records.errors import AccessRefused, StoreDown
from records.models import Blob, Grant, Upload
from records.services import documents, folders, revocations, uploads
from records.services.after_restore import AFTER_RESTORE, changes_of, settle_restore
from records.services.epochs import EPOCHS_AHEAD
from records.tasks import settle_after_restore
from tests.chain_node import FUNDER, ChainNode
from tests.people import make_doctor, make_patient
from tests.records.conftest import FILE, Clinic, grant, pieces, run_errands, upload
from tests.records.reconcile.story import models
from tests.records.test_returning import phrase_of_actor, return_with
from tests.records.test_sharing import read
from tests.records.test_uploads import describe

pytestmark = pytest.mark.django_db(transaction=True)

SCOPE = f"0x{1:064x}"


class Backup:
    """Every row of the portal, as a backup of the database has it; sessions, too."""

    def __init__(self) -> None:
        tables: list[type[Model]] = [*models(), Session]
        self._rows = [(table, list(table._base_manager.all())) for table in tables]

    def restore(self) -> None:
        """Put it back. Chain, store and what the machine has seen stay. All programs start anew."""
        with transaction.atomic():
            with connection.cursor() as cursor:
                for table, _ in self._rows:
                    cursor.execute(f"DELETE FROM {connection.ops.quote_name(table._meta.db_table)}")
            for table, rows in self._rows:
                table._base_manager.bulk_create(rows)
        incarnation._memory.clear()


@dataclass
class Hour:
    """What was done between the backup and the restore."""

    before: str
    confirmed: str
    waiting: str
    folder: int
    described: str
    other: Actor


@pytest.fixture
def hour(chain: ChainNode, patient: Actor, clinic: Clinic) -> Hour:
    """An hour of work, all of it accepted. Then the database of before it is put back."""
    before = upload(patient).record
    grant(patient, clinic.doctor.address, clinic.via)
    other = make_doctor(clinic.institution, "Nora Lund")
    chain.settle()
    described = describe(patient, size=len(FILE))
    incarnation.advance()
    backup = Backup()
    confirmed = uploads.receive_upload(
        actor=patient, upload_id=described, stream=pieces(FILE), length=len(FILE)
    ).record
    folder = folders.create_folder(actor=patient, name="Heart")
    chain.settle()
    waiting = upload(patient, title="Accepted at the last moment").record
    contents.settle_blobs()
    revocations.revoke_access(actor=patient, grantee=clinic.doctor.address, via=clinic.via, scope=SCOPE)
    grant(patient, other.address, "", folders=(1,))
    backup.restore()
    assert lag.knows_chain(), "as the database says, that is"
    return Hour(before, confirmed, waiting, folder, described, other)


def settle(chain: ChainNode) -> None:
    """Run the tasks of worker and beat."""
    sync()
    assert settle_restore()
    chain.settle()


def news_of(actor: Actor) -> Errand:
    """Return the key task that the restore left this account."""
    return Errand.objects.get(account=actor.address, kind=AFTER_RESTORE)


def test_a_worker_that_starts_brings_back_what_was_accepted(
    chain: ChainNode, patient: Actor, clinic: Clinic, hour: Hour
) -> None:
    settle(chain)
    assert set(Act.objects.values_list("state", flat=True)) == {"confirmed"}
    assert [read(patient, record) for record in (hour.before, hour.confirmed, hour.waiting)] == [FILE] * 3
    names = {view.number: view.name for view in folders.list_folders(actor=patient)}
    assert names[hour.folder] == "Heart"
    for record in (hour.before, hour.waiting):
        with pytest.raises(AccessRefused):
            read(clinic.doctor, record)
    assert Upload.objects.get(pk=hour.described).state == Upload.State.DONE
    again = uploads.receive_upload(
        actor=patient, upload_id=hour.described, stream=pieces(FILE), length=len(FILE)
    )
    assert again.record == hour.confirmed
    assert len(documents.list_records(actor=patient, patient=patient.address)) == 3
    outcomes = dict(LostAct.objects.values_list("kind", "outcome"))
    assert outcomes["RevokeAccess"] == outcomes["NewRecord"] == "sent"
    assert outcomes["GrantAccess"] == outcomes["RekeyFolder"] == "lost", "their envelopes went nowhere"


def test_the_folder_moves_on_beyond_what_was_handed_out(
    chain: ChainNode, patient: Actor, clinic: Clinic, hour: Hour
) -> None:
    del hour
    lost = LostAct.objects
    settle(chain)
    (moved,) = lost.filter(kind="RekeyFolder")
    assert (moved.fields["fromEpoch"], moved.fields["toEpoch"]) == (0, 1)
    run_errands(patient)
    chain.settle()
    (move,) = Act.objects.of_kind("RekeyFolder")
    assert (move.state, move.number) == ("confirmed", EPOCHS_AHEAD + 2)
    later = upload(patient, title="Later").record
    chain.settle()
    with pytest.raises(AccessRefused):
        read(clinic.doctor, later)


def test_each_person_is_told_what_changed(
    chain: ChainNode, patient: Actor, clinic: Clinic, hour: Hour
) -> None:
    settle(chain)
    changes = changes_of(news_of(patient))
    assert changes.since is not None
    assert changes.back == ["1 record saved", "1 folder named"]
    assert changes.again == ["1 record saved", "1 permission ended"]
    assert [(what, who) for what, who, _ in changes.lost] == [("permission given", hour.other.address)]
    (card,) = decisions_for(patient.address)
    assert card.text == "One thing that you did has to be done again."
    assert Notification.objects.filter(user=patient.user, template="waiting").count() == 1
    quiet = changes_of(news_of(clinic.doctor))
    assert (quiet.back, quiet.again, quiet.lost) == ([], [], [])
    assert not Notification.objects.filter(user=clinic.doctor.user, template="waiting").exists()


def test_sessions_end_as_soon_as_the_restore_is_noticed(chain: ChainNode, patient: Actor) -> None:
    del chain
    Session.objects.create(session_key="a" * 40, session_data="", expire_date="2100-01-01T00:00:00Z")
    OpenVault.objects.create(id="b" * 64, user=patient.user, sealed=b"")
    incarnation.advance()
    backup = Backup()
    Session.objects.all().delete()
    OpenVault.objects.all().delete()
    incarnation.advance()
    backup.restore()
    assert Session.objects.count() == OpenVault.objects.count() == 1
    incarnation.current()
    assert Session.objects.count() == OpenVault.objects.count() == 0


def test_a_start_says_that_the_database_was_restored(chain: ChainNode, hour: Hour) -> None:
    del hour
    assert notice_restore()[0].startswith("The database was restored from a backup")
    settle(chain)
    incarnation._memory.clear()
    assert notice_restore() == []


def test_the_command_says_each_step_and_may_run_again(
    chain: ChainNode, patient: Actor, hour: Hour, settings: Settings
) -> None:
    del hour
    url, settings.CHAIN_RPC_URL = settings.CHAIN_RPC_URL, "http://127.0.0.1:9"
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("after_restore", patience=0, stdout=StringIO())
    settings.CHAIN_RPC_URL = url
    said = StringIO()
    call_command("after_restore", stdout=said)
    lines = said.getvalue().splitlines()
    assert lines[-1] == "All is done."
    for words in (
        "began at",
        "read up to block",
        "1 uploads were saved",
        "2 are sent again",
        "find on their",
    ):
        assert any(words in line for line in lines), (words, lines)
    for options, words in (({}, "Nothing is to be done"), ({"if_needed": True}, "")):
        said = StringIO()
        call_command("after_restore", stdout=said, **options)
        assert words in said.getvalue()
    assert Errand.objects.filter(account=patient.address, kind=AFTER_RESTORE).count() == 1
    chain.settle()
    before = Incarnation.objects.count()
    call_command("after_restore", begin=True, stdout=StringIO())
    assert Incarnation.objects.count() == before + 1
    assert incarnation.unsettled_restore() is None


def test_a_cut_line_and_a_second_file_are_read_too(chain: ChainNode, hour: Hour) -> None:
    del hour
    kept = witness_folder() / "accepted"
    lines = kept.read_text().splitlines(keepends=True)
    (witness_folder() / "accepted.1").write_text("".join(lines[:3]) + "[]\n" + '{"at": 1}\n')
    kept.write_text("".join(lines[3:]) + lines[0][:50])
    incarnation.current()
    assert collect_lost_acts() > 3
    assert collect_lost_acts() == 0
    settle(chain)
    assert LostAct.objects.filter(outcome="open").count() == 0


def test_another_machine_brings_what_it_knows_later(chain: ChainNode, patient: Actor, hour: Hour) -> None:
    (witness_folder() / "accepted").rename(witness_folder() / "elsewhere")
    settle(chain)
    assert changes_of(news_of(patient)).lost == []
    assert documents.list_records(actor=patient, patient=patient.address)
    (witness_folder() / "elsewhere").rename(witness_folder() / "accepted")
    (witness_folder() / "collected").unlink()
    settle(chain)
    assert [what for what, _, _ in changes_of(news_of(patient)).lost] == ["permission given"]
    assert read(patient, hour.waiting) == FILE


def test_a_record_whose_description_was_not_yet_in_the_store_is_told_as_lost(
    chain: ChainNode, patient: Actor
) -> None:
    incarnation.advance()
    backup = Backup()
    upload(patient)
    incarnation.advance()
    chain.settle()
    backup.restore()
    settle(chain)
    assert [what for what, _, _ in changes_of(news_of(patient)).lost] == ["record saved"]


def test_a_snapshot_of_the_whole_machine_is_told_by_the_chain(
    chain: ChainNode, patient: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    incarnation.advance()
    backup, seen = Backup(), (witness_folder() / "seen").read_bytes()
    record = upload(patient).record
    contents.settle_blobs()
    incarnation.advance()
    chain.settle()
    (witness_folder() / "accepted").unlink()
    (witness_folder() / "seen").write_bytes(seen)
    backup.restore()
    watch = Watch()
    monkeypatch.setattr("chain.tasks._WATCH", watch)  # of a worker that has just started
    chain.mine()
    sync()
    assert incarnation.current().number == 1, "nothing shows it yet"
    sync()
    assert incarnation.current().reason == "restored"
    assert settle_restore()
    assert changes_of(news_of(patient)).back == ["1 record saved"]
    assert read(patient, record) == FILE
    upload(patient, title="Later")
    chain.settle()
    assert not watch.look()


def test_what_others_send_is_no_sign_of_a_restore(chain: ChainNode, patient: Actor, clinic: Clinic) -> None:
    watch = Watch()
    assert not watch.look()
    act = grant(patient, clinic.doctor.address, clinic.via)[0]
    Act.objects.filter(pk=act.pk).delete()
    send_and_wait(FUNDER, deployment().address, act.calldata, gas=1_000_000)
    chain.mine(2)
    chain.sync()
    assert Grant.objects.filter(patient=patient.address).exists()
    assert not watch.look()
    assert incarnation.current().number == 1


def test_a_store_or_a_node_that_is_away_is_waited_for(
    chain: ChainNode, patient: Actor, hour: Hour, settings: Settings, tmp_path: Path
) -> None:
    blocked, folder = tmp_path / "a file", settings.STORE_PATH
    blocked.write_text("not a folder")
    sync()
    settings.STORE_PATH = blocked / "store"
    with pytest.raises(StoreDown):
        settle_restore()
    with pytest.raises(CommandError, match="file store does not answer"):
        call_command("after_restore", stdout=StringIO())
    settings.STORE_PATH = folder
    with pytest.MonkeyPatch.context() as away:
        away.setattr("records.services.after_restore.submit_act", _no_answer)
        assert not settle_restore()
    assert LostAct.objects.filter(outcome="open").exists()
    settle(chain)
    assert read(patient, hour.waiting) == FILE


def _no_answer(*_: object) -> None:
    raise ChainUnavailable("no answer")


def test_what_was_said_anew_is_not_overwritten(
    chain: ChainNode, patient: Actor, clinic: Clinic, hour: Hour
) -> None:
    """Before the worker comes, the patient decides otherwise."""
    del hour
    incarnation.current()
    grant(patient, clinic.doctor.address, clinic.via, permissions="write")
    settle(chain)
    outcomes = dict(LostAct.objects.values_list("kind", "outcome"))
    assert outcomes["RevokeAccess"] == "overtaken"
    assert Act.objects.filter(kind="GrantAccess", state="confirmed").exists()
    assert not Blob.objects.filter(data=None, state="deleting").exists()


@dataclass
class Readers:
    """A record, the doctor whose access ended after the backup, and one whose access goes on."""

    record: str
    ended: str
    other: str

    def answers(self) -> tuple[int, int]:
        """Return the status that each reader of the record gets."""
        first, second = (
            Client()
            .get(
                f"/api/v1/records/{self.record}/content",
                headers={"authorization": f"Bearer {secret}"},
            )
            .status_code
            for secret in (self.ended, self.other)
        )
        return first, second


@pytest.fixture
def readers(request: pytest.FixtureRequest, chain: ChainNode, patient: Actor, clinic: Clinic) -> Readers:
    """Access that was ended and had not reached the chain when the backup was put back."""
    record, other = upload(patient).record, make_doctor(clinic.institution, "Nora Lund")
    chain.settle()
    for doctor, via in ((clinic.doctor, clinic.via), (other, "")):
        grant(patient, doctor.address, via)
        chain.settle()
    secrets = [
        tokens.make_token(actor=doctor, name="reader", scope="act", days=1)[1]
        for doctor in (clinic.doctor, other)
    ]
    contents.settle_blobs()
    readers = Readers(record, *secrets)
    assert readers.answers() == (200, 200)
    incarnation.advance()
    backup = Backup()
    if getattr(request, "param", "revoked") == "revoked":
        revocations.revoke_access(actor=patient, grantee=clinic.doctor.address, via=clinic.via, scope=SCOPE)
    else:
        revocations.give_up_access(actor=clinic.doctor, patient=patient.address, via=clinic.via, scope=SCOPE)
    incarnation.advance()
    backup.restore()
    return readers


@pytest.mark.parametrize("readers", ["revoked", "given up"], indirect=True)
def test_nobody_reads_through_a_grant_until_ended_access_is_ended_again(
    readers: Readers, patient: Actor
) -> None:
    sync()
    assert lag.knows_chain()
    assert readers.answers() == (503, 503)
    assert read(patient, readers.record) == FILE
    with pytest.raises(Unhealthy, match="the database was restored"):
        check_reading()
    settle_after_restore()
    assert readers.answers() == (403, 200)
    check_reading()
    assert incarnation.unsettled_restore() is None


def test_a_store_that_is_away_keeps_no_grant_closed(
    readers: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    LostAct.objects.create(
        digest="0x" + "7" * 64,
        kind="RevokeAccess",
        author="0x" + "1" * 40,
        fields={"of": "another version"},
        signature=b"",
        accepted_at="2020-01-01T00:00:00Z",
    )

    def no_store(*_: object, **__: object) -> None:
        raise StoreDown

    monkeypatch.setattr("records.services.after_restore.mark_saved_uploads", no_store)
    sync()
    assert settle_after_restore() == 0
    assert incarnation.unsettled_restore() is not None
    assert readers.answers() == (403, 200)
    check_reading()


def test_lost_acts_that_another_machine_brings_close_grants_again(chain: ChainNode, readers: Readers) -> None:
    (witness_folder() / "accepted").rename(witness_folder() / "elsewhere")
    settle(chain)
    assert readers.answers() == (200, 200), "nothing here knows of it"
    (witness_folder() / "elsewhere").rename(witness_folder() / "accepted")
    (witness_folder() / "collected").unlink()
    sync()
    assert readers.answers() == (503, 503)
    settle_after_restore()
    assert readers.answers() == (403, 200)
    (witness_folder() / "collected").unlink()
    sync()
    assert readers.answers() == (403, 200), "they are known"


@pytest.mark.usefixtures("readers")
def test_a_restore_is_asked_for_with_the_cursor(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    sync()
    with django_assert_num_queries(1):
        assert freshness.last_reading().misses_ends


@pytest.mark.parametrize("is_settled", [True, False], ids=["settled before", "settled after"])
def test_somebody_who_registered_after_the_backup_is_told_on_returning(
    chain: ChainNode, is_settled: bool
) -> None:
    incarnation.advance()
    backup = Backup()
    patient = make_patient()
    phrase = phrase_of_actor(patient)
    chain.settle()
    kept = upload(patient).record
    contents.settle_blobs()
    chain.settle()
    upload(patient, title="Its description is nowhere")
    incarnation.advance()
    backup.restore()
    sync()
    if is_settled:
        settle(chain)
    _, returned = return_with(phrase)
    assert returned.address == patient.address
    run_errands(returned)
    if not is_settled:
        assert not Errand.objects.filter(kind=AFTER_RESTORE).exists(), "it is not known yet"
        settle(chain)
        Errand.objects.update(tried_at=None)
        run_errands(returned)
    changes = changes_of(news_of(returned))
    assert "1 record saved" in changes.back
    assert [what for what, _, _ in changes.lost] == ["record saved"]
    assert read(returned, kept) == FILE
    assert not Errand.objects.filter(kind="returned-after-restore", state="open").exists()


@pytest.mark.parametrize("is_lost", [True, False])
def test_a_record_on_the_chain_whose_file_is_lost_did_not_come_back(
    chain: ChainNode, patient: Actor, settings: Settings, is_lost: bool
) -> None:
    incarnation.advance()
    backup = Backup()
    upload(patient)
    contents.settle_blobs()
    incarnation.advance()
    chain.settle()
    (witness_folder() / "accepted").unlink()
    backup.restore()
    if is_lost:
        for path in Path(settings.STORE_PATH).rglob("*"):
            if path.is_file():
                path.unlink()
    settle(chain)
    changes = changes_of(news_of(patient))
    assert ("1 record saved" in changes.back) is not is_lost
    assert [what for what, _, _ in changes.lost] == ["record saved"] * is_lost
