"""Reading lists of records, and what is done to a record without sending a file."""

from dataclasses import replace
from datetime import date, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.actor import Actor
from accounts.models import Errand
from chain.acts.messages import prepare_act
from chain.contract.slots import folder_scope, slot_close
from chain.errors import ActConflict
from chain.models import Act
from chain.outbox.submit import submit_act
from records import access
from records.chain_words import ZERO_WORD
from records.errors import AccessRefused, Conflict, InvalidInput, NotFound
from records.models import Grant, Record, SelectionRecord, ViewLog
from records.services import writing
from records.services.describing import check_description
from records.services.folders import require_folder
from records.services.keyring import Keyring, keyring_to
from records.services.limits import folded_in_inbox
from records.services.present import record_views
from records.services.states import (
    SEND_AGAIN,
    RecordState,
    act_record,
    inbox_acts,
    inbox_records,
    new_state,
    record_acts,
    state_of,
    states_of,
)
from records.shapes import RecordView

REFUSED, IN_ERROR, WITHDRAWN = 1, 2, 3
ASK_AGAIN = "You have no access to this now. Ask the patient again."
PAUSED = "Your institution is suspended: access through it is paused, and comes back when that ends."
LIST_LOGGED_FOR = timedelta(minutes=10)


def list_records(
    *,
    actor: Actor,
    patient: str,
    via: str | None = None,
    folder: int | None = None,
    versions: bool = False,
    inbox: bool = True,
    whole_inbox: bool = False,
) -> list[RecordView]:
    """A patient's records as this actor may see them, with what waits; newest first; with every version, if
    asked. Without `inbox` what others left for the patient is not even read: they may leave a lot. With
    `whole_inbox` it is read to the end, also what pages only count.

    Raises AccessRefused for somebody who holds no grant of the patient now, VaultClosed.
    """
    keyring, states = list_states(actor=actor, patient=patient, via=via, inbox=inbox, whole_inbox=whole_inbox)
    chosen = [state for state in states if folder is None or state.latest.folder == folder]
    return record_views(keyring, chosen, versions=versions)


def list_states(
    *,
    actor: Actor,
    patient: str,
    via: str | None = None,
    inbox: bool = True,
    whole_inbox: bool = False,
) -> tuple[Keyring, list[RecordState]]:
    """The same, unopened, with the keyring that opens them. Raises AccessRefused."""
    keyring = keyring_to(actor, patient)
    if keyring.own:
        own = Record.objects.filter(patient=patient)
        if not whole_inbox:
            out = folded_in_inbox(patient) if inbox else inbox_records(patient)
            own = own.exclude(pk__in=out.values("pk"))
        rows = list(own)
        acts = record_acts(patient=patient, inbox=inbox)
    else:
        if not keyring.access.grants_through(via):
            raise _refusal(actor, patient, via or "")
        rows = keyring.access.readable(via)
        acts = record_acts(patient=patient, author=actor.address)
        _log_list(actor, patient, via or "")
    return keyring, list(states_of(rows, acts).values())


def get_record(*, actor: Actor, record: str) -> RecordView:
    """One record with its versions. Raises NotFound, AccessRefused, VaultClosed."""
    state = visible_state(actor, record)
    (view,) = record_views(keyring_to(actor, state.patient), [state], versions=True)
    refused = Errand.objects.filter(
        account=actor.address, kind=SEND_AGAIN, state=Errand.State.OPEN, details__record=record
    )
    return replace(view, resend=refused.exists())


def record_of(keyring: Keyring, act: Act) -> RecordView:
    """The record as an act leaves it that the keyring's actor has queued just now."""
    if act.kind != "NewRecord":
        return get_record(actor=keyring.actor, record=act_record(act))
    (view,) = record_views(keyring, [new_state(act)], versions=True)
    return view


def list_inbox(*, actor: Actor, start: int, end: int) -> list[RecordView]:
    """What waits to be filed or refused, newest first, from `start` to `end` of what is confirmed.

    What still waits for the chain comes before the first of them, at most as much again.
    """
    rows = list(_shown_inbox(actor.address).order_by("-created_at", "pk")[start:end])
    acts = inbox_acts(actor.address, rows, newest=0 if start else end)
    states = [state for state in states_of(rows, acts).values() if state.latest.folder == 0]
    views = record_views(keyring_to(actor, actor.address), states)
    return [view for view in views if view.in_inbox]


def count_inbox(patient: str) -> int:
    """How many confirmed records wait to be filed or refused."""
    return inbox_records(patient).count()


def count_shown_inbox(patient: str) -> int:
    """How many of them `list_inbox` has in all: the newest of a sender with many are counted apart."""
    return _shown_inbox(patient).count()


def count_folded(patient: str) -> int:
    """How many of them are only counted: the newest of senders who left too many."""
    return folded_in_inbox(patient).count()


def _shown_inbox(patient: str) -> QuerySet[Record]:
    return inbox_records(patient).exclude(pk__in=folded_in_inbox(patient).values("pk"))


def visible_state(actor: Actor, record: str) -> RecordState:
    """The record, if this actor may know of it. Raises NotFound, or AccessRefused for who once could.

    An author sees what he or she wrote until the patient has taken it in.
    """
    state = actor.once(("state", record), lambda: state_of(record))
    if state is None:
        raise NotFound("There is no such record.")
    untaken = state.confirmed is None or state.confirmed.folder == 0
    if actor.address == state.patient or (actor.address == state.author and untaken):
        return state
    if access.access_to(actor, state.patient).can_read(record):
        return state
    if _once_granted(actor, state):
        raise _refusal(actor, state.patient, _last_via(actor, state.patient))
    raise NotFound("There is no such record.")


def modify_description(
    *, actor: Actor, record: str, title: str, kind: str, service_date: date | None, via: str = ""
) -> RecordView:
    """Mend title, kind or date of service: a version with the same content; nothing without a change.

    Raises InvalidInput, NotFound, AccessRefused, Conflict, VaultClosed.
    """
    title = check_description(title=title, kind=kind, service_date=service_date)
    state = visible_state(actor, record)
    writing.require_writer(actor, state, via)
    keyring = keyring_to(actor, state.patient)
    state = state.standing() or state
    opened = writing.open_or_refuse(keyring, state)
    mended = replace(
        opened.description, title=title, kind=kind, service_date=service_date, previous_data_key=None
    )
    if mended != replace(opened.description, previous_data_key=None):
        writing.add_version(keyring, state, description=mended, content=state.latest.content, via=via)
    return get_record(actor=actor, record=record)


def move_record(*, actor: Actor, record: str, folder: int) -> RecordView:
    """Put one's record into another folder: the data key is wrapped anew, the files stay.

    Raises InvalidInput, NotFound, Conflict, VaultClosed.
    """
    state = visible_state(actor, record)
    if actor.address != state.patient:
        raise AccessRefused("Only the patient moves a record.", patient=state.patient)
    if folder < 1:
        raise InvalidInput("folder", "A record cannot go back into the inbox.")
    require_folder(actor, folder)
    writing.require_writer(actor, state, "")
    if state.latest.folder != folder or not state.latest.wrapped:
        writing.wrap_anew(keyring_to(actor, state.patient), state, folder)
    return get_record(actor=actor, record=record)


def close_record(*, actor: Actor, record: str, reason: str = "") -> Act:
    """Close a record: its patient as entered in error (or "refused"), its author while it is in the inbox.

    Once: again gives the same act. Raises NotFound, AccessRefused, Conflict, VaultClosed.
    """
    state = visible_state(actor, record)
    own = actor.address == state.patient
    known = Act.objects.reserving().filter(slot=slot_close(record)).first()
    if known is not None:
        return known
    if state.closed:
        raise Conflict("This record is closed already.")
    if not own and (actor.address != state.author or state.latest.folder != 0):
        raise AccessRefused("Only the patient closes a record that was taken in.", patient=state.patient)
    if own:
        code, nonce = (REFUSED if reason == "refused" else IN_ERROR), ZERO_WORD
    else:
        code, nonce = WITHDRAWN, state.nonce
    act = prepare_act(
        "CloseRecord", author=actor.address, patient=state.patient, record=record, nonce=nonce, reason=code
    )
    try:
        with transaction.atomic():
            return submit_act(actor.sign(act))
    except ActConflict as error:
        raise Conflict(str(error)) from error


def _once_granted(actor: Actor, state: RecordState) -> bool:
    """Whether a grant that this actor held (or holds, narrowed) covers the record: it is no news then."""
    held = Grant.objects.filter(patient=state.patient, grantee__in=actor.recipients)
    selections = SelectionRecord.objects.filter(record=state.record).values("selection")
    folders = {folder_scope(one.folder) for one in state.versions if one.state == "confirmed" and one.folder}
    return held.filter(Q(scope__in=[state.record, *folders]) | Q(scope__in=selections)).exists()


def _refusal(actor: Actor, patient: str, via: str) -> AccessRefused:
    """Asking again cannot help while a suspension pauses what was granted."""
    held = [
        grant
        for grant in access.standing_grants(patient)
        if grant.via == via and grant.grantee in (actor.address, via)
    ]
    return AccessRefused(PAUSED if access.paused_among(held) else ASK_AGAIN, patient=patient, via=via)


def _last_via(actor: Actor, patient: str) -> str:
    held = Grant.objects.filter(patient=patient, grantee__in=actor.recipients).order_by("-block_number")
    return held.values_list("via", flat=True).first() or ""


def _log_list(actor: Actor, patient: str, via: str) -> None:
    """One line for a list however often it is looked at within ten minutes."""
    since = timezone.now() - LIST_LOGGED_FOR
    seen = ViewLog.objects.filter(
        patient=patient, viewer=actor.address, via=via, what=ViewLog.What.LIST, at__gt=since
    )
    if not seen.exists():
        ViewLog.objects.create(patient=patient, viewer=actor.address, via=via, what=ViewLog.What.LIST)
