"""Ending access: revoked by the patient, given up by the grantee. The portal obeys at once. Keys follow."""

import logging

from django.db import transaction

from accounts.actor import Actor
from accounts.notifications import notify
from accounts.services.errands import add_errand
from chain.acts.messages import prepare_act
from chain.contract.slots import slot_giveup, slot_grant
from chain.errors import ActConflict, ChainError
from chain.models import Act, Event
from chain.outbox.submit import last_number, next_number, submit_act
from records.access import standing_grants
from records.chain_words import address_field
from records.errors import Conflict, InvalidInput, NotFound, RecordsError
from records.models import Grant
from records.services.envelopes import end_envelopes, shared_envelopes
from records.services.holders import REKEY
from records.services.rekeying import rekey_folder
from records.services.writing import require_keys

logger = logging.getLogger(__name__)


def revoke_access(*, actor: Actor, grantee: str, via: str, scope: str) -> Act:
    """Revoke a grant, confirmed or still under way. Its envelopes are erased and its folder is re-keyed.

    Again gives the same act. Raises InvalidInput, NotFound, Conflict, VaultClosed.
    """
    require_keys(actor)
    slot = slot_grant(actor.address, grantee, address_field(via), _checked(scope))
    act = _revoked_already(slot)
    if act is None:
        act = _sign_revoke(actor, slot, grantee, via, scope)
    folder = int(scope, 16)
    if folder < 2**16:
        _rekey_now(actor, folder)
    return act


def give_up_access(*, actor: Actor, patient: str, via: str, scope: str) -> Act:
    """Give a grant of one's own back. Again gives the same act.

    Raises InvalidInput, NotFound, Conflict, VaultClosed.
    """
    require_keys(actor)
    row = Grant.objects.filter(
        patient=patient, grantee=actor.address, via=via, scope=_checked(scope), ended=Grant.Ended.NO
    ).first()
    if row is None:
        raise NotFound("You hold no such grant.")
    slot = slot_giveup(patient, actor.address, address_field(via), scope)
    known = Act.objects.reserving().filter(slot=slot, number=row.serial).first()
    if known is not None:
        return known
    signed = actor.sign(
        prepare_act(
            "GiveUpAccess",
            author=actor.address,
            patient=patient,
            via=address_field(via),
            scope=scope,
            serial=row.serial,
        )
    )
    try:
        with transaction.atomic():
            act = submit_act(signed)
            end_grant(patient=patient, grantee=actor.address, scope=scope)
            notify(patient, "access_given_up", {})
    except ActConflict as error:
        raise Conflict(str(error)) from error
    return act


def end_grant(*, patient: str, grantee: str, scope: str) -> None:
    """Erase an ended grant's envelopes and leave the patient an errand, unless another grant keeps them.

    Also one that is still under way: its envelopes are here already. In the caller's transaction, after what
    ended the grant is written.
    """
    if any(grant.grantee == grantee for grant in standing_grants(patient, scope)):
        return
    if _is_coming(patient, grantee, scope):
        return
    end_envelopes(shared_envelopes(patient=patient, scope=scope, recipient=grantee))
    if int(scope, 16) < 2**16:
        add_errand(account=patient, kind=REKEY, subject=str(int(scope, 16)))


def _is_coming(patient: str, grantee: str, scope: str) -> bool:
    """Return whether a newer grant waits, or is not deep enough yet. Its outcome may end it in turn."""
    slots = {"slot__startswith": f"grant:{patient}:{grantee}:", "slot__endswith": f":{scope}"}
    acts = Act.objects.by(patient).filter(**slots)
    revokes, grants = acts.of_kind("RevokeAccess"), acts.waiting().of_kind("GrantAccess")
    seen = Event.objects.pending().named("AccessGranted", "AccessRevoked").filter(author=patient, **slots)
    words = [(slot, number, False) for slot, number in revokes.values_list("slot", "number")]
    words += [(slot, number, True) for slot, number in grants.values_list("slot", "number")]
    words += [(event.slot, event.number, event.name == "AccessGranted") for event in seen]
    last = {slot: gives for slot, _, gives in sorted(words)}
    return any(last.values())


def _revoked_already(slot: str) -> Act | None:
    newest = Act.objects.filter(slot=slot).order_by("-number", "-created_at").first()
    if newest is None or newest.kind != "RevokeAccess" or newest.number < last_number(slot):
        return None
    return newest if newest.state in ("waiting", "confirmed") else None


def _sign_revoke(actor: Actor, slot: str, grantee: str, via: str, scope: str) -> Act:
    if last_number(slot) == 0:
        raise NotFound("There is no such grant.")
    signed = actor.sign(
        prepare_act(
            "RevokeAccess",
            author=actor.address,
            grantee=grantee,
            via=address_field(via),
            scope=scope,
            serial=next_number(slot),
        )
    )
    try:
        with transaction.atomic():
            act = submit_act(signed)
            end_grant(patient=actor.address, grantee=grantee, scope=scope)
            notify(grantee, "access_ended", {})
    except ActConflict as error:
        known = _revoked_already(slot)
        if known is None:
            raise Conflict("This grant was changed meanwhile. Look again, and decide anew.") from error
        return known
    return act


def _rekey_now(actor: Actor, folder: int) -> None:
    """Move the folder in the same session. What hinders it now (a node that is down) keeps the errand."""
    try:
        rekey_folder(actor, folder)
    except (RecordsError, ChainError) as error:
        logger.info("folder of %s is re-keyed later: %s", actor.address, type(error).__name__)


def _checked(scope: str) -> str:
    try:
        number = int(scope, 16)
    except ValueError as error:
        raise InvalidInput("scope", "There is no such scope.") from error
    if scope != f"0x{number:064x}":
        raise InvalidInput("scope", "There is no such scope.")
    return scope
