"""What was accepted and the chain refused: its author is told, and does it again or leaves it.

Every kind of act that a person signs ends here, but for those that are done again without being asked
(`WITHOUT_ASKING`). What a later word of the same person has overtaken is no news.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from accounts.actor import Actor
from accounts.models import Errand
from accounts.services.errands import ErrandCard, add_errand, settle_errand, shows_errand
from chain.acts.messages import prepare_act
from chain.contract.abi import act_types
from chain.contract.slots import SERIAL_SLOTS, folder_of_scope
from chain.errors import ActConflict
from chain.models import Act, Event
from chain.outbox.submit import last_number, next_number, submit_act
from records.chain_words import ZERO_WORD, address_row, moment
from records.content import keep_blob
from records.errors import Conflict, NotFound
from records.models import EmailGrant, PatientFolder, Selection
from records.services import grants, requests, revocations, sending
from records.services.sending import SEND_AGAIN
from records.services.writing import require_keys

NOT_DONE = "not-done"
# Key tasks of their own do these again: they take access away, or only keys and institutions are concerned.
WITHOUT_ASKING = ("AffiliateDoctor", "LeaveInstitution", "PublishKey", "RekeyFolder", "RevokeAccess")
# The portal's own keys sign these: they stand on the operations page.
OF_THE_PORTAL = ("AdmitInstitution", "AnchorLog")

# The author of any other act is asked. Records and versions have an errand of their own.
_RECORDS = ("NewRecord", "ModifyRecord")
DECIDED = tuple(sorted({*act_types()} - {*WITHOUT_ASKING, *OF_THE_PORTAL, *_RECORDS}))

_WORDS = {
    "NewRecord": (
        "A record was not accepted",
        "Access or the folder changed before it arrived. Its file is kept: send it again, or drop it.",
    ),
    "ModifyRecord": (
        "A change to a record was not accepted",
        "Access or the record changed before it arrived. It is kept: send it again, or drop it.",
    ),
    "CloseRecord": (
        "A record was not closed",
        "It is still open and takes further versions. Close it again, or leave it open.",
    ),
    "NameFolder": (
        "The name of a folder was not saved",
        "Other portals still show the name before. Save it again, or leave it.",
    ),
    "RequestAccess": (
        "A request for access was not sent",
        "The patient has not received it. Send it again, or drop it.",
    ),
    "WithdrawRequest": (
        "A request was not taken back",
        "The patient can still answer it. Take it back again, or leave it.",
    ),
    "DenyAccess": (
        "A request was not refused",
        "Your answer did not arrive, and the request is still open. Refuse it again, or leave it.",
    ),
    "GrantAccess": (
        "Access was not given",
        "Nobody can read anything through it. Share it again, or leave it.",
    ),
    "GiveUpAccess": (
        "Access was not given back",
        "It was changed at the same moment, and you may still have it. Give it back again, or leave it.",
    ),
    "NameRecovery": (
        "The way to recover your account was not saved",
        "Your keys are as they were. Save it again, or leave it.",
    ),
    "ReplaceKeys": (
        "Your keys were not replaced",
        "The keys before still hold. Replace them again, or leave it.",
    ),
}
_BLOCKED = (
    "A sender was not blocked",
    "You still receive what this sender leaves for you. Block the sender again, or leave it.",
)
_UNBLOCKED = (
    "A sender is still blocked",
    "You receive nothing from this sender. Take the sender's records again, or leave it.",
)


@dataclass(frozen=True)
class Refusal:
    """An act of the actor's that was not done. `record` is the record it is about, or "". `code` says why."""

    id: uuid.UUID
    kind: str
    title: str
    text: str
    code: str
    record: str
    created_at: datetime


def note_refusal(act: Act) -> None:
    """Leave a refused act to its author's decision, unless a later word has taken its place.

    Not so where another portal's word took the same serial: that says something else.
    """
    if last_number(act.slot) < act.number or _lost_its_serial(act):
        details = {"kind": act.kind, "slot": act.slot, "record": act.fields.get("record", "")}
        if act.kind == "BlockSender":
            details["blocked"] = act.fields["blocked"]
        add_errand(account=act.author, kind=NOT_DONE, subject=act.digest, details=details)


def _lost_its_serial(act: Act) -> bool:
    """Return whether the newest word on a slot with serials has this act's, and is another one."""
    if act.slot.split(":", 1)[0] not in SERIAL_SLOTS or last_number(act.slot) != act.number:
        return False
    return not Event.objects.filter(slot=act.slot, number=act.number, act_digest=act.digest).exists()


def forget_refusals(author: str, slot: str) -> None:
    """Forget refusals on a slot on which their author has done something newer."""
    open_ones = Errand.objects.filter(account=author, kind=NOT_DONE, state=Errand.State.OPEN)
    open_ones.filter(details__slot=slot).update(state=Errand.State.DONE, settled_at=timezone.now())


def list_refusals(*, actor: Actor, record: str = "") -> list[Refusal]:
    """Return what of the actor's was refused and is not decided, oldest first; of one record, if named."""
    kinds = (NOT_DONE,) if record else (NOT_DONE, SEND_AGAIN)
    rows = Errand.objects.filter(account=actor.address, kind__in=kinds, state=Errand.State.OPEN)
    if record:
        rows = rows.filter(details__record=record)
    errands = list(rows)
    acts = {act.digest: act for act in Act.objects.filter(digest__in=[row.subject for row in errands])}
    return [_refusal(row, acts[row.subject]) for row in errands if row.subject in acts]


def get_refusal(*, actor: Actor, refusal: uuid.UUID) -> Refusal:
    """Return one of them. Raises NotFound."""
    return _refusal(*_find(actor, refusal))


def send_refused(*, actor: Actor, refusal: uuid.UUID) -> None:
    """Sign again what was refused, for the state there is now.

    Raises NotFound (it is decided already), Conflict, InvalidInput, AccessRefused, ChainDown, VaultClosed.
    """
    require_keys(actor)
    errand, act = _find(actor, refusal)
    if errand.kind == SEND_AGAIN:
        sending.send_again(actor=actor, record=errand.details["record"])
        return
    accept = _AGAIN.get(act.kind, _sign_again)(actor, act)
    try:
        with transaction.atomic():
            if not settle_errand(errand):
                raise Conflict("This is decided already.")
            accept()
    except ActConflict as error:
        raise Conflict(str(error)) from error


def drop_refused(*, actor: Actor, refusal: uuid.UUID) -> None:
    """Leave it as it is. Raises NotFound, VaultClosed."""
    require_keys(actor)
    errand, _ = _find(actor, refusal)
    if errand.kind == SEND_AGAIN:
        sending.drop_failed(actor=actor, record=errand.details["record"])
    else:
        settle_errand(errand, dropped=True)


@shows_errand(NOT_DONE)
def show_refusal(errand: Errand) -> ErrandCard:
    """Show an act that was not done. Its page offers to do it again or to leave it."""
    title, text = _words(errand)
    return ErrandCard(title=title, text=text, url=reverse("records:not-done", args=[errand.pk]))


def _find(actor: Actor, refusal: uuid.UUID) -> tuple[Errand, Act]:
    rows = Errand.objects.filter(account=actor.address, kind__in=(NOT_DONE, SEND_AGAIN))
    errand = rows.filter(pk=refusal, state=Errand.State.OPEN).first()
    act = Act.objects.filter(digest=errand.subject).first() if errand is not None else None
    if errand is None or act is None:
        raise NotFound("There is no such thing here, or it is decided already.")
    return errand, act


def _refusal(errand: Errand, act: Act) -> Refusal:
    title, text = _words(errand, act.kind)
    record: str = errand.details.get("record", "")
    return Refusal(errand.pk, act.kind, title, text, act.error_code, record, errand.created_at)


def _words(errand: Errand, kind: str = "") -> tuple[str, str]:
    """(what was not done, what to do)."""
    kind = kind or errand.details["kind"]
    if kind == "BlockSender":
        return _BLOCKED if errand.details["blocked"] else _UNBLOCKED
    return _WORDS[kind]


def _sign_again(actor: Actor, act: Act) -> Callable[[], object]:
    """Sign the same again, with the next serial where it has one."""
    fields = dict(act.fields)
    if "serial" in fields:
        fields["serial"] = next_number(act.slot)
    signed = actor.sign(prepare_act(act.kind, **fields))
    return lambda: submit_act(signed)


def _name_again(actor: Actor, act: Act) -> Callable[[], object]:
    accept = _sign_again(actor, act)

    def name() -> None:
        row = PatientFolder.objects.filter(patient=actor.address, folder=act.fields["folder"]).first()
        if row is None or row.sealed_name is None or keep_blob(bytes(row.sealed_name)) != act.fields["name"]:
            raise Conflict("The folder has another name by now. Give it the name that you want.")
        accept()

    return name


def _grant_again(actor: Actor, act: Act) -> Callable[[], object]:
    """Give the same access, sealed anew: the envelopes of a refused grant are gone."""
    fields, folder = act.fields, folder_of_scope(act.fields["scope"])
    if Selection.objects.filter(pk=fields["scope"]).exists():
        raise Conflict("A selection is of its day. Choose again what to share.")
    mailed = EmailGrant.objects.filter(slot=act.slot, serial=act.number).values_list("request", flat=True)
    request = str(mailed[0]) if mailed else fields["request"]
    proposal = grants.propose_grant(
        actor=actor,
        grantee=fields["grantee"],
        via=address_row(fields["via"]),
        folders=() if folder is None else (folder,),
        records=(fields["scope"],) if folder is None else (),
        permissions="write" if fields["permissions"] & 2 else "read",
        not_before=moment(fields["notBefore"]),
        expires_at=moment(fields["expiry"]),
        request=None if request == ZERO_WORD else request,
    )
    return lambda: grants.grant_access(actor=actor, proposal=proposal)


def _give_up_again(actor: Actor, act: Act) -> Callable[[], object]:
    fields = act.fields
    via, scope = address_row(fields["via"]), fields["scope"]
    return lambda: revocations.give_up_access(actor=actor, patient=fields["patient"], via=via, scope=scope)


_AGAIN: dict[str, Callable[[Actor, Act], Callable[[], object]]] = {
    "DenyAccess": requests.answer_again,
    "GiveUpAccess": _give_up_again,
    "GrantAccess": _grant_again,
    "NameFolder": _name_again,
    "RequestAccess": requests.ask_again,
    "WithdrawRequest": requests.answer_again,
}
