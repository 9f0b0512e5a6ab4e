"""Who holds a folder's secret: whom the acts of the chain, and those accepted here, have handed it to.

An act names its grantee, and a list of envelopes. The list may be nowhere, or not read yet: then somebody
whom nobody here knows may hold the secret. So a database that was restored, and a portal that never saw
another portal's grant, answer as any other does.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, F, OuterRef, Q

from accounts.directory import newest_keys
from accounts.models import Account, Errand
from chain.contract.slots import folder_scope, slot_epoch
from chain.models import Act, Event
from records.access import FolderScope, standing_grants
from records.chain_words import ZERO_WORD
from records.crypto.envelopes import Purpose
from records.models import Envelope, EnvelopeList, FolderState, Grant, Rekey
from records.services.epochs import current_epoch

REKEY = "rekey-folder"
"""The key task of a folder that is to be moved on."""
_FOLDERS = "0x" + 60 * "0"  # how the scope of a folder begins, and that of nothing else


@dataclass(frozen=True)
class Holders:
    """To whom a folder's current secret, or a later one, was handed.

    `keys` are (account, digest of the key) of the lists that are known. `grantees` are named by grants.
    `unread` are digests of lists that are not known here.
    """

    keys: frozenset[tuple[str, str]]
    grantees: frozenset[str]
    unread: frozenset[str]


def holders_of(patient: str, folder: int) -> Holders:
    """Return the holders of a folder's current secret, the patient left out."""
    scope, epoch = folder_scope(folder), current_epoch(patient, folder)
    grants = Event.objects.named("AccessGranted").about(patient)
    grants = grants.filter(args__scope=scope, args__epoch__gte=epoch)
    moves = Event.objects.named("FolderRekeyed").filter(slot=slot_epoch(patient, folder), number__gte=epoch)
    given = [event.args for event in grants.only("args")]
    named = {args["envelopes"] for args in given} | {event["envelopes"] for event in moves.only("args")}
    lists = EnvelopeList.objects.filter(
        sender=patient, patient=patient, scope=scope, purpose=Purpose.FOLDER, epoch__gte=epoch
    )
    sealed = Envelope.objects.filter(list__in=lists).exclude(recipient=patient)
    return Holders(
        keys=frozenset(sealed.values_list("recipient", "key_digest")),
        grantees=frozenset(args["grantee"] for args in given) - {patient},
        unread=frozenset(named - {ZERO_WORD} - set(lists.values_list("digest", flat=True))),
    )


def staying(patient: str, scope: str) -> set[str]:
    """Return who holds a grant of this scope that stands, or one that waits for the chain."""
    found = {grant.grantee for grant in standing_grants(patient, scope)}
    return found | {act.fields["grantee"] for act in waiting_grants(patient, scope)}


def waiting_grants(patient: str, scope: str) -> list[Act]:
    """Return the waiting grants with no revoke after them."""
    acts = Act.objects.by(patient).of_kind("GrantAccess", "RevokeAccess").filter(fields__scope=scope)
    newest = {act.slot: act for act in acts.order_by("number", "created_at")}
    return [act for act in newest.values() if act.kind == "GrantAccess" and act.state == "waiting"]


def has_leaver(patient: str, folder: int) -> bool:
    """Tell whether somebody who has no grant of the folder (any more) may hold its current secret.

    Also where it was sealed to an institution's former key, whose seed a doctor who left may have kept.
    """
    holders, stays = holders_of(patient, folder), staying(patient, folder_scope(folder))
    if holders.grantees - stays:
        return True
    newest = newest_keys(who for who, _ in holders.keys)
    if any(
        who not in stays or (who in newest and newest[who].digest != digest) for who, digest in holders.keys
    ):
        return True
    return bool(holders.unread) and _has_lost_grantee(patient, folder, stays)


def grants_to_end() -> set[tuple[str, str, str]]:
    """Return (patient, scope, grantee) of grants that were given, and whose folder's secret still counts.

    The caller takes away those that stand. What is left has run out, and its folder is to be moved on. Only
    the patients of this portal can do that. Those who are asked already are left out.
    """
    patients = Account.objects.filter(kind=Account.Kind.PATIENT).values("address")
    grants = Grant.objects.filter(patient__in=patients, scope__startswith=_FOLDERS, ended=Grant.Ended.NO)
    later = FolderState.objects.filter(patient=OuterRef("patient"), epoch__gt=OuterRef("epoch"))
    later = later.alias(place=FolderScope(F("folder"))).filter(place=OuterRef("scope"))
    found = set(grants.filter(~Exists(later)).values_list("patient", "scope", "grantee"))
    for patient, folder, at in _unread_moves():
        rows = grants.filter(patient=patient, scope=folder_scope(folder), expiry__gt=at)
        found |= set(rows.values_list("patient", "scope", "grantee"))
    asked = Errand.objects.filter(kind=REKEY, state=Errand.State.OPEN)
    folders = {
        (patient, folder_scope(int(folder))) for patient, folder in asked.values_list("account", "subject")
    }
    return {(patient, scope, grantee) for patient, scope, grantee in found if (patient, scope) not in folders}


def _unread_moves() -> Iterable[tuple[str, int, datetime]]:
    """(patient, folder, when) of folders whose last move named a list that is not known here."""
    patients = Account.objects.filter(kind=Account.Kind.PATIENT).values("address")
    known = EnvelopeList.objects.filter(digest=OuterRef("envelopes"), patient=OuterRef("patient"))
    state = FolderState.objects.filter(
        patient=OuterRef("patient"), folder=OuterRef("folder"), epoch=OuterRef("epoch")
    )
    moves = Rekey.objects.filter(~Exists(known), Exists(state), patient__in=patients)
    return moves.values_list("patient", "folder", "at")


def _has_lost_grantee(patient: str, folder: int, stays: set[str]) -> bool:
    """Whether a grant has ended since the folder came to its epoch: a list unread may name its grantee."""
    grants = Grant.objects.filter(patient=patient, scope=folder_scope(folder)).exclude(grantee__in=stays)
    moves = Rekey.objects.filter(patient=patient, folder=folder, epoch=current_epoch(patient, folder))
    since = moves.values_list("at", flat=True).first()
    if since is not None:
        grants = grants.filter(Q(ended_at=None, expiry__gt=since) | Q(ended_at__gte=since))
    return grants.exists()
