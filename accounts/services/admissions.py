"""Admitting institutions with the admission key, or saying which call admits where the portal has no key."""

from dataclasses import dataclass
from typing import Any

from django.db import transaction

from accounts.errors import NotAllowed
from accounts.models import Admission, Institution
from chain.acts.messages import PreparedAct, prepare_act, sign_act
from chain.contract.slots import slot_institution
from chain.errors import MissingKey
from chain.keys.ecdsa import address_of_key
from chain.keys.portal_keys import admission_key
from chain.models import Act
from chain.node.deployment import domain
from chain.outbox.submit import next_number, submit_act


@dataclass(frozen=True)
class AdmissionCall:
    """What a wallet that holds the admission role sends."""

    contract: str
    function: str
    arguments: dict[str, Any]
    data: str


def admit_institution(*, institution: Institution, admitted: bool) -> Act:
    """Sign admission (or suspension) with the admission key. A second click finds the first one's act.

    Raises NotAllowed where the institution has no keys, the portal no admission key, or nothing would change.
    """
    if not institution.address:
        raise NotAllowed(f"{institution} has no keys yet: its first manager has not accepted the invitation.")
    waiting = waiting_admission(institution)
    if waiting is not None and waiting.fields["admitted"] == admitted:
        return waiting
    confirmed = Admission.objects.filter(institution=institution.address).first()
    if waiting is None and (confirmed.admitted if confirmed else False) == admitted:
        raise NotAllowed(f"{institution} is {'admitted' if admitted else 'not admitted'} already.")
    try:
        key = admission_key()
    except MissingKey as error:
        raise NotAllowed("This portal does not hold the admission key; send the call shown below.") from error
    signed = sign_act(_prepare(institution, admitted, address_of_key(key)), key)
    with transaction.atomic():
        return submit_act(signed)


def waiting_admission(institution: Institution) -> Act | None:
    """The newest admission or suspension that the chain has not settled yet."""
    acts = Act.objects.waiting().of_kind("AdmitInstitution")
    return acts.filter(fields__institution=institution.address).order_by("-number").first()


def admission_state(institution: Institution) -> str:
    """In a word or two, for pages: no keys yet, waiting, admitted, suspended, not admitted."""
    if not institution.address:
        return "no keys yet"
    waiting = waiting_admission(institution)
    if waiting is not None:
        return (
            "admission waits for the chain"
            if waiting.fields["admitted"]
            else "suspension waits for the chain"
        )
    row = Admission.objects.filter(institution=institution.address).first()
    if row is None:
        return "not admitted"
    return "admitted" if row.admitted else "suspended"


def admission_call(institution: Institution, *, admitted: bool, sender: str) -> AdmissionCall:
    """The call that `sender`, a holder of the admission role, sends straight to the contract."""
    act = _prepare(institution, admitted, sender)
    return AdmissionCall(
        contract=domain().contract,
        function="admitInstitution((author, institution, admitted, serial), signature)",
        arguments={**act.fields, "signature": "0x"},
        data="0x" + act.calldata(b"").hex(),
    )


def holds_admission_key() -> bool:
    """Whether this portal can admit institutions by itself."""
    try:
        admission_key()
    except MissingKey:
        return False
    return True


def _prepare(institution: Institution, admitted: bool, author: str) -> PreparedAct:
    return prepare_act(
        "AdmitInstitution",
        author=author,
        institution=institution.address,
        admitted=admitted,
        serial=next_number(slot_institution(institution.address)),
    )
