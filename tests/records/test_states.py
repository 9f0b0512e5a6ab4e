"""A record's state while the chain confirms it."""

import pytest

from accounts.actor import Actor
from chain.models import Act
from records.services import documents, states
from tests.chain_node import ChainNode
from tests.records.conftest import upload

pytestmark = pytest.mark.django_db


def test_a_record_that_is_confirmed_between_two_questions_is_found(
    chain: ChainNode, patient: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = upload(patient).record
    ask = states._open

    def confirm_meanwhile() -> object:
        if Act.objects.filter(kind="NewRecord").exclude(state="confirmed").exists():
            chain.settle()
        return ask()

    monkeypatch.setattr(states, "_open", confirm_meanwhile)
    assert documents.get_record(actor=patient, record=record).state == "confirmed"
    assert states.state_of("0x" + "7" * 64) is None
