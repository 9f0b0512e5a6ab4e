"""Contents that nothing names: noted, kept for the grace time, erased; and all that is never touched."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from accounts.actor import Actor
from chain.models import Act, Cursor
from chain.status import lag
from chain.support.shared_clock import shared_now
from records.content import store
from records.erasing import erase_given_up
from records.errors import Conflict, StoreDown
from records.holdings import hold, put_held
from records.models import Holding, Upload, Version
from records.services import sending, uploads, writing
from records.services.garbage import collect_garbage, discard_content, erase_garbage
from records.storage import Cid
from records.tasks import sweep
from tests.chain_node import ChainNode
from tests.records.conftest import FILE, LABORATORY, pieces, upload


def days_pass(days: float) -> None:
    """Move back by so many days the times at which contents were put, looked at or noted."""
    ago = timedelta(days=days)
    for row in Holding.objects.all():
        row.put_at -= ago
        row.unnamed_since = row.unnamed_since and row.unnamed_since - ago
        row.save()


def is_stored(digest: str) -> bool:
    row = Holding.objects.get(pk=digest)
    return store().has(Cid.from_digest(digest, dag_pb=row.dag_pb))


@pytest.fixture
def abandoned(chain: ChainNode, patient: Actor, monkeypatch: pytest.MonkeyPatch) -> str:
    """Digest of a content whose process was killed between the store and the act. It was sent again since."""
    described = uploads.describe_upload(
        actor=patient,
        patient=None,
        title="Blood report",
        kind=LABORATORY,
        service_date=None,
        file_name="report.pdf",
    )

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(uploads, "register_upload", die)
        with pytest.raises(KeyboardInterrupt):
            uploads.receive_upload(actor=patient, upload_id=described.id, stream=pieces(FILE), length=None)
    left = Holding.objects.exclude(record="").get()
    uploads.receive_upload(actor=patient, upload_id=described.id, stream=pieces(FILE), length=None)
    chain.settle()
    return left.pk


def test_what_nothing_names_is_erased_after_the_grace_time_and_not_before(abandoned: str) -> None:
    collect_garbage()
    assert Holding.objects.get(pk=abandoned).unnamed_since is None  # it might be under way
    days_pass(0.1)
    collect_garbage()
    days_pass(settings.STORE_GRACE_DAYS - 0.1)
    collect_garbage()
    assert is_stored(abandoned)
    days_pass(0.1)
    sweep()
    assert not is_stored(abandoned)
    named = Version.objects.get().content
    assert is_stored(named)
    assert Holding.objects.get(pk=named).unnamed_since is None


def test_what_is_named_again_in_time_stays(abandoned: str) -> None:
    days_pass(1)
    collect_garbage()
    Version.objects.update(content=abandoned)
    days_pass(settings.STORE_GRACE_DAYS)
    collect_garbage()
    assert is_stored(abandoned)
    days_pass(1)
    assert collect_garbage() == 0
    assert Holding.objects.get(pk=abandoned).unnamed_since is None


@pytest.mark.parametrize("by", ["waiting act", "refused act with an errand", "event", "upload"])
def test_all_who_may_still_name_it_are_asked(chain: ChainNode, patient: Actor, by: str) -> None:
    content = upload_content(patient)
    if by == "refused act with an errand":
        act = Act.objects.get(kind="NewRecord")
        Act.objects.filter(pk=act.pk).update(state="failed")
        sending.leave_errand(act)
    elif by == "event":
        chain.settle()
        Act.objects.filter(kind="NewRecord").update(state="failed")
        Version.objects.all().delete()
    elif by == "upload":
        Act.objects.filter(kind="NewRecord").update(state="failed")
        Upload.objects.update(state=Upload.State.DESCRIBED)
    days_pass(1)
    collect_garbage()
    assert Holding.objects.get(pk=content).unnamed_since is None


def test_what_its_author_dropped_is_named_by_nothing(chain: ChainNode, patient: Actor) -> None:
    content = upload_content(patient)
    act = Act.objects.get(kind="NewRecord")
    Act.objects.filter(pk=act.pk).update(state="failed")
    sending.leave_errand(act)
    sending.drop_failed(actor=patient, record=Holding.objects.get(pk=content).record)
    chain.settle()
    days_pass(1)
    collect_garbage()
    assert Holding.objects.get(pk=content).unnamed_since is not None


def test_nothing_is_collected_while_the_chain_is_not_fully_known(abandoned: str) -> None:
    days_pass(1)
    collect_garbage()
    days_pass(settings.STORE_GRACE_DAYS)
    now = timezone.now()
    for change in (
        {"behind_since": now},
        {"error": "The node does not answer."},
        {"heard_tick": shared_now() - 60_000},
        {"heard_tick": shared_now() + 60_000},
        {"head": Cursor.objects.get().head + 100},
    ):
        before = Cursor.objects.values().get()
        Cursor.objects.update(**change)
        assert not lag.knows_chain()
        collect_garbage()
        assert is_stored(abandoned)
        Cursor.objects.update(**before)
    collect_garbage()
    assert not is_stored(abandoned)


def test_what_this_portal_never_put_is_not_touched(abandoned: str) -> None:
    foreign = store().put([b"of another portal on the same node"])
    days_pass(1)
    collect_garbage()
    days_pass(settings.STORE_GRACE_DAYS)
    collect_garbage()
    assert store().has(foreign.cid)
    assert not is_stored(abandoned)


def test_who_names_what_was_given_up_is_refused(abandoned: str) -> None:
    Holding.objects.filter(pk=abandoned).update(state=Holding.State.ERASING)
    with pytest.raises(Conflict, match="erased"):
        hold(abandoned)
    with store().open(Cid.from_digest(abandoned)) as blob:
        data = b"".join(blob)
    with pytest.raises(Exception, match="being erased"):
        put_held(store(), [data], record="0x01")
    erase_garbage()
    put_held(store(), [data], record="0x01")
    hold(abandoned)
    assert is_stored(abandoned)


def test_what_is_given_up_in_the_middle_of_its_putting_is_refused_and_erased(abandoned: str) -> None:
    files = store()
    given_up = Holding.objects.exclude(pk=abandoned).filter(record="")

    def stream() -> list[bytes]:
        return [b"some envelope"]

    class SlowStore(type(files)):  # type: ignore[misc]
        """It is deleted, and its erasing is over, before its bytes are there."""

        def _keep(self, cid: Cid, *rest: object) -> None:
            Holding.objects.filter(pk=cid.hex).update(state=Holding.State.ERASING)
            assert erase_given_up(files, cid.hex)
            super()._keep(cid, *rest)

    with pytest.raises(Exception, match="given up"):
        put_held(SlowStore(settings.STORE_PATH), stream())
    assert given_up.filter(state=Holding.State.ERASING).exists()
    erase_garbage()
    assert not given_up.filter(state=Holding.State.ERASING).exists()
    assert not any(store().has(Cid.from_digest(row.pk)) for row in given_up.filter(state="erased"))


def test_a_registration_that_fails_takes_its_content_along(
    patient: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise StoreDown

    monkeypatch.setattr(writing, "keep_version", refuse)
    with pytest.raises(StoreDown):
        upload(patient)
    left = Holding.objects.exclude(record="").get()
    assert left.state == Holding.State.ERASED
    assert not is_stored(left.pk)


def test_a_content_that_is_named_is_not_discarded(patient: Actor) -> None:
    content = upload_content(patient)
    discard_content(content)
    assert is_stored(content)


def upload_content(patient: Actor) -> str:
    """Digest of the content of a record that waits."""
    record = upload(patient)
    return Cid.parse(record.versions[0].content).hex
