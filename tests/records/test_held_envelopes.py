"""The store gets what an act hands over once the chain has the act, and of a refused act never."""

import pytest

from accounts.actor import Actor
from chain.contract.refusals import Refusal
from chain.contract.slots import folder_scope
from chain.models import Act, ActState
from chain.node.deployment import deployment
from chain.operations.deploy import send_and_wait
from chain.outbox.settle import refuse_act
from records.content import settle_blobs, store
from records.models import Blob, Envelope, EnvelopeList
from records.services import rekeying, revocations
from records.services.epochs import current_epoch
from records.storage import Cid
from tests.chain_node import FUNDER, ChainNode
from tests.people import make_patient
from tests.records.conftest import Clinic, grant, make_clinic, run_errands, select_all, upload
from tests.records.elsewhere import grant_elsewhere, move_elsewhere
from tests.records.test_holders import NOWHERE, list_elsewhere
from tests.records.test_sharing import read

pytestmark = pytest.mark.django_db

SCOPE = folder_scope(1)


def handed_over(act: Act) -> set[Cid]:
    """The act's list and the envelopes that it names."""
    listed = act.fields["envelopes"]
    envelopes = Envelope.objects.filter(list__digest=listed).values_list("digest", flat=True)
    return {Cid.from_digest(digest) for digest in (listed, *envelopes)}


def in_store(files: set[Cid]) -> set[Cid]:
    return {cid for cid in files if store().has(cid)}


@pytest.mark.parametrize("what", ["folder", "record", "selection"])
def test_envelopes_come_to_the_store_with_their_act(
    chain: ChainNode, patient: Actor, clinic: Clinic, what: str
) -> None:
    record = upload(patient).record
    chain.settle()
    if what == "selection":
        select_all(patient, clinic.doctor.address, clinic.via)
    else:
        places = {"folders": ()} | {"records": (record,)} if what == "record" else {"folders": (1,)}
        grant(patient, clinic.doctor.address, clinic.via, **places)
    (act,) = Act.objects.waiting().of_kind("GrantAccess")
    files = handed_over(act)
    assert len(files) == 3
    settle_blobs()
    assert in_store(files) == set()
    chain.relay()
    settle_blobs()
    assert in_store(files) == set()  # sent, and not deep enough
    chain.settle()
    settle_blobs()
    assert in_store(files) == files
    assert not Blob.objects.filter(state=Blob.State.HELD).exists()


def test_a_stranger_who_names_a_list_does_not_let_it_go(
    chain: ChainNode, patient: Actor, clinic: Clinic
) -> None:
    """Once an act is broadcast, anybody can read its list's digest, and name it first."""
    stranger = make_patient("Ben Pike")
    chain.settle()
    grant(patient, clinic.doctor.address, clinic.via)
    (act,) = Act.objects.waiting().of_kind("GrantAccess")
    files = handed_over(act)
    listed = act.fields["envelopes"]
    grant_elsewhere(chain, stranger, clinic.doctor.address, clinic.via, envelopes=listed, relay=False)
    settle_blobs()
    assert in_store(files) == set()
    assert Blob.objects.filter(state=Blob.State.HELD).count() == 3


def test_what_a_refused_grant_would_have_handed_over_is_gone(
    chain: ChainNode, patient: Actor, clinic: Clinic
) -> None:
    upload(patient)
    chain.settle()
    grant(patient, clinic.doctor.address, clinic.via)
    (act,) = Act.objects.waiting().of_kind("GrantAccess")
    files = handed_over(act)
    move_elsewhere(chain, patient, envelopes=NOWHERE, to=5)
    chain.settle()
    act.refresh_from_db()
    assert act.state == "returned"
    settle_blobs()
    assert in_store(files) == set()
    assert not Blob.objects.filter(pk__in=[cid.hex for cid in files]).exclude(data=None).exists()
    assert not Envelope.objects.filter(list__digest=act.fields["envelopes"], deleted_at=None).exists()


def test_of_two_portals_that_move_a_folder_one_hands_out_the_epoch(
    chain: ChainNode, patient: Actor, clinic: Clinic
) -> None:
    """The other's list stays where it was made, and its folder goes on to an epoch of its own."""
    other = make_clinic(chain, "Jade Practice", "Omar Finch")
    record = upload(patient).record
    grant(patient, clinic.doctor.address, clinic.via)
    grant(patient, other.doctor.address, other.via)
    chain.settle()
    theirs, _ = list_elsewhere(patient, clinic)
    revocations.revoke_access(actor=patient, grantee=other.doctor.address, via=other.via, scope=SCOPE)
    (act,) = Act.objects.waiting().of_kind("RekeyFolder")
    assert act.number == 1
    files = handed_over(act)
    move_elsewhere(chain, patient, envelopes=theirs, epoch=0, to=1)
    chain.settle()
    act.refresh_from_db()
    assert act.state == "returned"
    settle_blobs()
    assert in_store(files) == set()
    run_errands(patient)
    assert current_epoch(patient.address, 1) == 2
    chain.settle()
    settle_blobs()
    assert read(clinic.doctor, record)
    lists = EnvelopeList.objects.filter(patient=patient.address, scope=SCOPE, epoch=1)
    assert [row.digest for row in lists if store().has(Cid.from_digest(row.digest))] in ([], [theirs])
    assert rekeying.rekey_folder(patient, 1) is None


@pytest.mark.parametrize("what", ["folder", "record"])
def test_a_refused_grant_that_somebody_has_sent_all_the_same_is_sealed_anew(
    chain: ChainNode, patient: Actor, clinic: Clinic, what: str
) -> None:
    record = upload(patient).record
    chain.settle()
    places = {"folders": ()} | {"records": (record,)} if what == "record" else {"folders": (1,)}
    grant(patient, clinic.doctor.address, clinic.via, **places)
    (act,) = Act.objects.waiting().of_kind("GrantAccess")
    refuse_act(act, ActState.RETURNED, Refusal("EpochNotCurrent", "The folder has moved."))
    send_and_wait(FUNDER, deployment().address, data=act.calldata, gas=5_000_000)
    chain.settle()
    act.refresh_from_db()
    assert act.state == "confirmed"
    run_errands(patient)
    chain.settle()
    assert read(clinic.doctor, record)
