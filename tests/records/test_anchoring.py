"""Anchoring: what is signed and when, what people see of it, reorganisations, restored backups, lost rows."""

import secrets
from collections.abc import Callable, Iterator
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.actor import Actor
from accounts.models import User
from chain.acts.messages import prepare_act, sign_act
from chain.keys import portal_keys
from chain.keys.secret_files import write_once
from chain.models import Act, ActState, Block, Cursor
from chain.node import client as node
from chain.outbox.submit import submit_act
from chain.reconcile.run import Finding, RunOptions, reconcile
from chain.status.lag import knows_chain
from chain.support.shared_clock import shared_now
from records.chain_words import raw, word
from records.checks import check_settings
from records.crypto.merkle import EMPTY_ROOT, Frontier
from records.crypto.view_log import next_log_id
from records.models import Anchor, AnchoredLog, ViewLog
from records.models.anchors import AnchorQuerySet
from records.services import anchoring, log, reconciling_projection, reconciling_views
from records.services.anchoring import anchor_views
from records.shapes import HistoryEntry
from records.tasks import sweep
from tests.accounts.conftest import sign_in
from tests.chain.every_act import tables
from tests.chain_node import ChainNode, own_chain, state_of
from tests.people import PASSWORD, make_patient
from tests.records.test_api import Api

DOCTOR, VIA = "0x" + "1" * 40, "0x" + "2" * 40


@pytest.fixture(scope="module")
def chain_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChainNode]:
    """A chain and an anchor key of their own: nobody else's anchors are by this portal's key."""
    with own_chain(tmp_path_factory.mktemp("var")) as node:
        yield node


@pytest.fixture
def patient(chain: ChainNode) -> Actor:
    """Return the patient whose records are viewed, with the chain read."""
    actor = make_patient()
    chain.settle()
    return actor


def look_at(patient: Actor, count: int = 1, *, minutes: int = 61) -> list[ViewLog]:
    """Looks at a patient's list, so many minutes ago, each a second after the one before."""
    at = timezone.now() - timedelta(minutes=minutes) + timedelta(seconds=ViewLog.objects.count())
    return [
        ViewLog.objects.create(
            patient=patient.address, viewer=DOCTOR, via=VIA, what="list", at=at + timedelta(seconds=place)
        )
        for place in range(count)
    ]


def anchor(chain: ChainNode, patient: Actor, count: int = 1) -> Anchor:
    """Looks that are anchored, confirmed."""
    look_at(patient, count)
    assert anchor_views() is not None
    chain.settle()
    return Anchor.objects.latest("block_number")


def root_of(rows: list[ViewLog]) -> str:
    """The root over these rows."""
    tree = Frontier()
    tree.extend(row.entry for row in rows)
    return word(tree.root)


def numbered() -> list[ViewLog]:
    """Rows by their numbers."""
    return list(ViewLog.objects.exclude(position=None).order_by("position"))


def history(patient: Actor) -> list[HistoryEntry]:
    """The looks in the patient's access history, newest first."""
    views = log.HistoryFilter(topic="views")
    return log.access_history(actor=patient, patient=patient.address, chosen=views).lines


def found() -> list[Finding]:
    """Return the findings of reconciling the view log, seen twice."""
    (result,) = reconcile(reconciling_views.CHECKS, RunOptions(first=0))
    return result.findings


def foreign_anchor(chain: ChainNode, size: int) -> None:
    """An anchor of our log by our key that this database knows nothing of: it was signed after the backup."""
    of, key = AnchoredLog.objects.latest("number"), portal_keys.anchor_key()
    fields = {"author": of.author, "log": of.log, "size": size, "root": secrets.token_bytes(32)}
    act = submit_act(sign_act(prepare_act("AnchorLog", **fields), key))
    chain.settle()
    assert state_of(act) == ActState.CONFIRMED
    act.delete()


def test_looks_are_anchored_together_and_the_history_says_where(chain: ChainNode, patient: Actor) -> None:
    rows = look_at(patient, 5)
    assert [line.block_number for line in history(patient)] == [None] * 5
    sweep()
    act = Act.objects.of_kind("AnchorLog").get()
    chain.relay()
    chain.sync()
    assert not Anchor.objects.exists()  # in a block, not deep enough
    assert [line.block_number for line in history(patient)] == [None] * 5
    chain.settle()
    made = Anchor.objects.get()
    assert (made.act, made.size, made.root) == (act.digest, 5, root_of(rows))
    assert [row.position for row in numbered()] == [0, 1, 2, 3, 4]
    told = {(line.action, line.block_number, line.tx_hash) for line in history(patient)}
    assert told == {("listed", made.block_number, made.tx_hash)}
    assert found() == []


def test_page_and_api_say_where_a_look_was_anchored(chain: ChainNode, patient: Actor) -> None:
    look_at(patient)
    browser, api = sign_in(patient.user), Api(patient)
    assert "anchored in block" not in browser.get("/history/").content.decode()
    assert anchor_views() is not None
    assert "anchored in block" not in browser.get("/history/").content.decode()
    (told,) = api.get("history").json()
    assert (told["action"], told["block_number"], told["tx_hash"]) == ("listed", None, "")
    chain.settle()
    made = Anchor.objects.get()
    page = browser.get("/history/").content.decode()
    assert f"anchored in block {made.block_number}" in page
    assert made.tx_hash[:18] in page
    (told,) = api.get("history").json()
    assert (told["block_number"], told["tx_hash"]) == (made.block_number, made.tx_hash)


def test_each_row_has_the_first_anchor_that_covers_it(chain: ChainNode, patient: Actor) -> None:
    blocks = [anchor(chain, patient, count).block_number for count in (3, 1, 2)]
    assert len(set(blocks)) == 3
    look_at(patient)
    by_place = {row.position: row.anchor for row in ViewLog.objects.all().with_anchor()}
    anchors = Anchor.objects.in_bulk()
    shown = [anchors[by_place[place]].block_number for place in range(6)]
    assert shown == [blocks[0]] * 3 + [blocks[1]] + [blocks[2]] * 2
    assert by_place[None] is None
    assert Anchor.objects.latest("size").root == root_of(numbered())


def test_nothing_is_signed_before_its_time(chain: ChainNode, patient: Actor, settings: Settings) -> None:
    look_at(patient, minutes=58)
    assert anchor_views() is None
    settings.ANCHOR_MINUTES = 57
    assert anchor_views() is not None
    look_at(patient)
    assert anchor_views() is None  # one waits
    chain.settle()
    settings.ANCHOR_MINUTES = 0
    assert anchor_views() is None
    settings.ANCHOR_MINUTES = 57
    assert anchor_views() is not None
    chain.settle()
    assert anchor_views() is None  # nothing is new


def test_a_run_takes_so_many_rows_and_the_next_goes_on(
    chain: ChainNode, patient: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anchoring, "AT_ONCE", 3)
    rows = look_at(patient, 7)
    sizes = []
    while (act := anchor_views()) is not None:
        sizes.append(act.number)
        chain.settle()
    assert sizes == [3, 6, 7]
    assert [row.pk for row in numbered()] == [row.pk for row in rows]
    assert Anchor.objects.latest("size").root == root_of(rows)


def test_without_the_key_nothing_is_numbered_and_nothing_fails(patient: Actor) -> None:
    look_at(patient)
    path = portal_keys.key_path("anchor")
    kept = path.read_text()
    path.unlink()
    try:
        sweep()
    finally:
        write_once(path, kept)
    assert not AnchoredLog.objects.exists()
    assert ViewLog.objects.unnumbered().count() == 1
    assert not Act.objects.of_kind("AnchorLog").exists()


def test_nothing_is_signed_before_all_that_the_chain_says_is_known(chain: ChainNode, patient: Actor) -> None:
    look_at(patient)
    Cursor.objects.update(heard_tick=shared_now() - 60_000, read_tick=shared_now() - 60_000)
    assert not knows_chain()
    assert anchor_views() is None
    chain.sync()
    assert anchor_views() is not None


def test_a_refused_anchor_does_not_end_anchoring(
    chain: ChainNode, patient: Actor, settings: Settings
) -> None:
    settings.CHAIN_ANCHOR_KEY = "0x" + secrets.token_hex(32)  # the contract has not given it the role
    look_at(patient, 2)
    refused = anchor_views()
    assert refused is not None
    chain.settle()
    assert (state_of(refused), refused.error_code) == (ActState.FAILED, "AccessControlUnauthorizedAccount")
    assert anchor_views() is None  # not every minute
    AnchoredLog.objects.update(anchored_at=timezone.now() - timedelta(minutes=61))
    again = anchor_views()
    assert again is not None
    assert (again.pk, again.state, again.error) == (refused.pk, ActState.WAITING, "")
    chain.settle()
    assert state_of(refused) == ActState.FAILED
    settings.CHAIN_ANCHOR_KEY = ""
    AnchoredLog.objects.update(anchored_at=timezone.now() - timedelta(minutes=61))
    assert anchor_views() is not None
    chain.settle()
    first, second = AnchoredLog.objects.order_by("number")
    assert second.log == word(next_log_id(raw(first.log), 0, EMPTY_ROOT))
    assert (second.start, second.size) == (0, 2)
    assert {line.block_number for line in history(patient)} == {Anchor.objects.get().block_number}
    assert found() == []


def test_an_anchor_that_a_reorganisation_takes_is_not_shown_and_comes_back(
    chain: ChainNode, patient: Actor
) -> None:
    kept = anchor(chain, patient, 2)
    lost = anchor(chain, patient)
    act = Act.objects.get(digest=lost.act)
    chain.rpc("anvil_reorg", node.head().number - lost.block_number + 1, [])
    chain.sync()
    assert list(Anchor.objects.values_list("size", flat=True)) == [kept.size]
    assert [line.block_number for line in history(patient)] == [None, kept.block_number, kept.block_number]
    assert state_of(act) == ActState.WAITING
    assert anchor_views() is None
    chain.settle()
    back = Anchor.objects.get(size=3)
    assert (back.act, back.root) == (lost.act, lost.root)
    assert history(patient)[0].block_number == back.block_number
    assert AnchoredLog.objects.count() == 1
    assert found() == []


def test_resync_brings_the_anchors_back_byte_for_byte(chain: ChainNode, patient: Actor) -> None:
    Cursor.objects.all().delete()
    Block.objects.all().delete()
    chain.sync()
    anchor(chain, patient, 2)
    anchor(chain, patient)
    before, shown = tables(), history(patient)
    Anchor.objects.filter(size=2).delete()
    Anchor.objects.update(root="0x" + "00" * 32)
    assert tables() != before
    call_command("resync", stdout=StringIO(), stderr=StringIO())
    assert tables() == before
    Anchor.objects.all().delete()
    call_command("resync", "--from-archive", stdout=StringIO(), stderr=StringIO())
    assert tables() == before
    assert history(patient) == shown


def change() -> None:
    ViewLog.objects.filter(position=4).update(version=2)


def delete() -> None:
    ViewLog.objects.filter(position=4).delete()


def insert() -> None:
    for place in (8, 7, 6, 5, 4):
        ViewLog.objects.filter(position=place).update(position=place + 1)
    ViewLog.objects.create(patient=DOCTOR, viewer=DOCTOR, what="list", position=4)


def swap() -> None:
    for place, to in ((3, 99), (4, 3), (99, 4)):
        ViewLog.objects.filter(position=place).update(position=to)


def spoil() -> None:
    ViewLog.objects.filter(position=4).update(viewer="nobody")


@pytest.mark.parametrize("tamper", [change, delete, insert, swap, spoil])
def test_a_row_that_is_not_as_it_was_anchored(
    chain: ChainNode, patient: Actor, tamper: Callable[[], None]
) -> None:
    anchor(chain, patient, 3)
    second = anchor(chain, patient, 3)
    anchor(chain, patient, 3)
    assert found() == []
    tamper()
    first = found()[0]
    assert first.subject == "view log 1, rows 4 to 6"
    assert first.what == f"differ from their anchor in block {second.block_number}"
    assert first.repair is None


def test_a_row_that_is_gone_before_its_anchor_is_there(chain: ChainNode, patient: Actor) -> None:
    anchor(chain, patient, 2)
    look_at(patient, 2)
    assert anchor_views() is not None
    assert found() == []
    ViewLog.objects.filter(position=3).delete()
    (finding,) = found()
    assert finding.subject == "view log 1, rows 3 to 4"


def test_rows_and_logs_that_nothing_was_signed_for(chain: ChainNode, patient: Actor) -> None:
    anchor(chain, patient, 2)
    (row,) = look_at(patient)
    ViewLog.objects.filter(pk=row.pk).update(position=7)
    (finding,) = found()
    assert finding.subject == f"view {row.pk}"
    gone = AnchoredLog.objects.get().log
    AnchoredLog.objects.all().delete()
    ViewLog.objects.update(position=None)
    (finding,) = found()
    assert finding.subject == f"log {gone}"


def test_a_row_of_the_projection_that_the_chain_contradicts(chain: ChainNode, patient: Actor) -> None:
    made = anchor(chain, patient)
    contract = [check for check in reconciling_projection.CHECKS if check.id in ("R309", "R310")]

    def differing() -> list[str]:
        return [done.check.id for done in reconcile(contract, RunOptions(first=0)) if done.findings]

    assert differing() == []
    Anchor.objects.update(root="0x" + "00" * 32)
    assert differing() == ["R309"]
    Anchor.objects.update(root=made.root, size=7)
    assert differing() == ["R309", "R310"]


def test_a_restored_backup_goes_on_in_a_log_that_names_the_old_anchor(
    chain: ChainNode, patient: Actor
) -> None:
    old = anchor(chain, patient, 3)
    foreign_anchor(chain, 5)
    (beyond,) = found()
    assert (beyond.subject, beyond.note) == ("view log 1", False)
    assert "covers 2 rows that are not here" in beyond.what
    new = anchor(chain, patient, 2)
    assert new.log == word(next_log_id(raw(old.log), 3, raw(old.root)))
    rows = numbered()
    assert [row.position for row in rows] == [0, 1, 2, 3, 4]
    assert (new.size, new.root) == (2, root_of(rows[3:]))
    shown = [line.block_number for line in history(patient)]
    assert shown == [new.block_number] * 2 + [old.block_number] * 3
    (beyond,) = found()
    assert (beyond.subject, beyond.note) == ("view log 1", True)
    assert anchor(chain, patient).log == new.log


def test_no_size_is_too_great_for_a_database(chain: ChainNode, patient: Actor) -> None:
    """The contract takes 64 bits from who has the anchor key; SQL has 63."""
    old = anchor(chain, patient)
    foreign_anchor(chain, 2**64 - 1)
    assert Cursor.objects.get().error == ""
    assert Anchor.objects.latest("block_number").size == 2**63 - 1
    assert anchor(chain, patient).log != old.log


def test_rows_that_only_a_forked_log_covers_are_anchored_again(
    chain: ChainNode, patient: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An anchor of ours, greater than the lost one, got through before the lost one was read."""
    old = anchor(chain, patient, 3)
    foreign_anchor(chain, 4)
    with monkeypatch.context() as unread:
        unread.setattr(AnchorQuerySet, "foreign", lambda rows: rows.none())
        forked = anchor(chain, patient, 3)
    assert (forked.log, forked.size) == (old.log, 6)
    assert {line.block_number for line in history(patient)[:3]} == {forked.block_number}  # not the lost one's
    new = anchor(chain, patient)
    assert new.log == word(next_log_id(raw(old.log), 3, raw(old.root)))
    assert (new.size, new.root) == (4, root_of(numbered()[3:]))
    assert history(patient)[0].block_number == new.block_number
    assert [finding.note for finding in found()] == [True]


def test_a_backup_that_is_restored_twice_does_not_meet_its_own_log(chain: ChainNode, patient: Actor) -> None:
    old = anchor(chain, patient, 3)
    foreign_anchor(chain, 5)
    once = anchor(chain, patient, 2)
    AnchoredLog.objects.filter(number=2).delete()
    Act.objects.filter(digest=once.act).delete()
    ViewLog.objects.filter(position__gte=3).delete()
    new = anchor(chain, patient)
    ids = [next_log_id(raw(old.log), 3, raw(old.root)), next_log_id(raw(once.log), 0, EMPTY_ROOT)]
    assert [row.log for row in AnchoredLog.objects.order_by("number")] == [old.log, *map(word, ids)]
    assert (new.log, new.size, history(patient)[0].block_number) == (word(ids[1]), 1, new.block_number)


def test_an_anchor_of_another_portal_is_kept_and_covers_nothing_here(
    chain: ChainNode, patient: Actor
) -> None:
    made = anchor(chain, patient, 2)
    Anchor.objects.create(
        author=DOCTOR,
        log=made.log,
        size=1,
        root=made.root,
        act="0x" + "3" * 64,
        at=made.at,
        block_number=1,
        tx_hash=made.tx_hash,
    )
    assert {line.block_number for line in history(patient)} == {made.block_number}
    assert found() == []
    assert anchor(chain, patient).log == made.log


def test_the_admin_lists_anchors_and_numbers(chain: ChainNode, patient: Actor) -> None:
    made = anchor(chain, patient, 2)
    client = Client()
    client.force_login(User.objects.create_superuser("root@example.org", PASSWORD))
    for page in ("anchor", "anchoredlog"):
        assert made.log in client.get(f"/admin/records/{page}/").content.decode()
    assert '<td class="field-position">1</td>' in client.get("/admin/records/viewlog/").content.decode()
    of = AnchoredLog.objects.get()
    shown = client.get(f"/admin/records/anchoredlog/{of.pk}/change/").content.decode()
    assert made.log in shown
    assert "Save" not in shown
    assert client.post(f"/admin/records/anchor/{made.pk}/delete/", {"post": "yes"}).status_code == 403


def test_a_negative_setting_stops_the_start(settings: Settings) -> None:
    settings.ANCHOR_MINUTES = -1
    assert [problem.id for problem in check_settings(None)] == ["records.E005"]
