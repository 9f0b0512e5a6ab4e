"""The store, compared with the files that chain and outbox name."""

import pytest

from chain.models import Act, ActState
from records.content import settle_blobs, store
from records.models import Blob, Record, Version
from records.storage import Cid
from tests.records.ended import keep_ended_envelope
from tests.records.reconcile.story import OTHER, Story, content_of, file_of, version_of


def test_a_content_that_the_store_lost(story: Story) -> None:
    cid = content_of(story.record)
    file_of(cid).unlink()
    finding = story.the_one("R101")
    assert finding.subject == f"content {cid}"
    assert finding.what.startswith(f"is not in the store (version 1 of {story.record})")
    assert finding.repair is None  # there is no other place to look


def test_a_content_that_was_cut(story: Story) -> None:
    path = file_of(content_of(story.second))
    path.write_bytes(path.read_bytes()[:-40])
    assert story.the_one("R101").what.startswith("has a size that no encrypted file has")


def test_a_content_with_a_flipped_bit_is_found_by_reading_it(story: Story) -> None:
    path = file_of(content_of(story.record))
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert story.found() == {}
    assert story.the_one("R101", deep=True).what.startswith("has other bytes than its CID says")


def test_the_content_of_an_act_that_waits(story: Story) -> None:
    act = Act.objects.get(kind="NewRecord", slot=f"record:{story.second}")
    Version.objects.filter(record=story.second).delete()
    Record.objects.filter(pk=story.second).delete()
    Act.objects.filter(pk=act.pk).update(state=ActState.WAITING, event=None)
    file_of(content_of_act(act)).unlink()
    (finding,) = story.found()["R101"].findings
    assert finding.what == f"is not in the store (act {act.pk})"


def content_of_act(act: Act) -> Cid:
    """The content that an act registers."""
    return Cid.from_digest(act.fields["content"])


def test_a_description_that_left_the_database_is_copied_back(story: Story) -> None:
    digest = version_of(story.record).description
    Blob.objects.filter(pk=digest).delete()
    finding = story.the_one("R102")
    assert finding.subject == f"description {Cid.from_digest(digest)}"
    story.mended("R102")
    assert Blob.objects.get(pk=digest).data is not None


def test_a_description_that_is_nowhere(story: Story) -> None:
    digest = version_of(story.record).description
    Blob.objects.filter(pk=digest).delete()
    file_of(Cid.from_digest(digest)).unlink()
    assert story.the_one("R102").what.startswith("is nowhere")


def test_a_description_that_was_erased(story: Story) -> None:
    digest = version_of(story.record).description
    Blob.objects.filter(pk=digest).update(state=Blob.State.DELETED, data=None)
    file_of(Cid.from_digest(digest)).unlink()
    assert story.the_one("R102").what.startswith("was erased")


def test_a_small_ciphertext_that_the_store_lost_is_put_there_again(story: Story) -> None:
    digest = version_of(story.record).description
    file_of(Cid.from_digest(digest)).unlink()
    assert story.the_one("R103").what == "is marked as stored, and the store does not keep it"
    story.mended("R103")
    assert store().has(Cid.from_digest(digest))


def test_a_small_ciphertext_that_was_erased_here_and_not_in_the_store(story: Story) -> None:
    cid = store().put([b"an envelope of old"]).cid
    digest = keep_ended_envelope(b"an envelope of old")
    settle_blobs()  # without reading on: what other tests left on the chain is none of this story
    Blob.objects.filter(pk=digest).update(state=Blob.State.DELETED, data=None)
    story.the_one("R103")
    story.mended("R103")
    assert not store().has(cid)


def test_a_description_marked_as_erased_that_the_store_has_is_read_again(story: Story) -> None:
    digest = version_of(story.record).description
    Blob.objects.filter(pk=digest).update(state=Blob.State.DELETED, data=None)
    assert set(story.found()) == {"R102", "R103"}
    story.found(repair=True)
    story.found(repair=True)
    assert story.found() == {}
    assert Blob.objects.get(pk=digest).data is not None


def test_a_small_ciphertext_that_waits_without_its_bytes(story: Story) -> None:
    Blob.objects.create(digest=OTHER)
    assert story.the_one("R103").what == "waits for the store without its bytes"


@pytest.mark.parametrize("place", ["database", "store"])
def test_a_small_ciphertext_that_was_changed_is_taken_from_the_other_place(story: Story, place: str) -> None:
    digest = version_of(story.record).description
    if place == "database":
        Blob.objects.filter(pk=digest).update(data=b"something else")
    else:
        file_of(Cid.from_digest(digest)).write_bytes(b"something else")
    assert story.found() == {}
    story.the_one("R103", deep=True)
    story.mended("R103", deep=True)


def test_what_nothing_names_is_only_noted_and_stays(story: Story) -> None:
    cid = store().put([b"nobody's"]).cid
    assert story.the_one("R104").note
    done = story.found(repair=True)["R104"]
    assert (done.left, done.repaired) == (0, {})
    assert store().has(cid)
