"""Moving a folder to a higher epoch when a grant of it has ended: new envelopes for those who stay."""

from django.db import transaction

from accounts.actor import Actor
from accounts.services.directory import PublicKey, newest_digests, newest_keys
from accounts.services.errands import settle_errands
from chain.acts import prepare_act
from chain.errors import ActConflict
from chain.models import Act
from chain.outbox import submit_act
from chain.slots import folder_scope
from records.access import standing_grants
from records.crypto.envelopes import Purpose
from records.crypto.payloads import FolderPayload, Terms
from records.errors import Conflict
from records.models import Envelope, PatientFolder
from records.services.envelopes import ListAbout, grant_terms, keep_list, reachable_keys, seal_each
from records.services.epochs import current_epoch, hand_out, next_epoch
from records.services.scopes import folder_secrets

REKEY = "rekey-folder"
UNKNOWN_TERMS = Terms(purpose="PATRQT", kinds=(), permissions=1)


def needs_rekey(patient: str, folder: int) -> bool:
    """Whether the folder's current secret is with somebody who left, or not with somebody who stays."""
    return has_leaver(patient, folder) or _has_unserved(patient, folder)


def has_leaver(patient: str, folder: int) -> bool:
    """Whether somebody who has no grant of the folder (any more) was ever sealed its current secret.

    Also when it was sealed to an institution's former key, whose seed a doctor who left may have kept.
    """
    scope = folder_scope(folder)
    sealed = Envelope.objects.filter(
        list__patient=patient,
        list__scope=scope,
        list__purpose=Purpose.FOLDER,
        list__epoch=current_epoch(patient, folder),
    ).exclude(recipient=patient)
    holders = set(sealed.values_list("recipient", "key_digest"))
    newest = newest_keys(who for who, _ in holders)
    stays = staying(patient, scope)
    return any(
        who not in stays or (who in newest and newest[who].digest != digest) for who, digest in holders
    )


def _has_unserved(patient: str, folder: int) -> bool:
    """Whether who stays has a key, and no envelope (any more) to find the current secret in."""
    scope = folder_scope(folder)
    found = Envelope.objects.filter(
        list__patient=patient,
        list__scope=scope,
        list__purpose=Purpose.FOLDER,
        list__epoch__gte=current_epoch(patient, folder),
        deleted_at=None,
    )
    unserved = staying(patient, scope) - set(found.values_list("recipient", flat=True))
    return bool(newest_digests(unserved))


def rekey_folder(actor: Actor, folder: int) -> Act | None:
    """Move the folder, if somebody who left has its secret or who stays has not; None otherwise.

    Raises Conflict, ChainDown, VaultClosed.
    """
    patient, scope = actor.address, folder_scope(folder)
    if not needs_rekey(patient, folder):
        settle_errands(kind=REKEY, subject=str(folder), account=patient)
        return None
    current, fresh = current_epoch(patient, folder), next_epoch(patient, folder)
    hand_out(patient, folder, fresh, moves=True)
    secrets = folder_secrets(actor, folder, fresh)
    payloads = [(actor.own_public_key, FolderPayload(secrets, UNKNOWN_TERMS).to_bytes())]
    for key, terms in _recipients(actor, scope):
        payloads.append((key, FolderPayload(secrets, terms).to_bytes()))
    listed = seal_each(actor.origin, ListAbout(Purpose.FOLDER, patient, patient, scope, fresh), payloads)
    signed = actor.sign(
        prepare_act(
            "RekeyFolder",
            author=patient,
            folder=folder,
            fromEpoch=current,
            toEpoch=fresh,
            envelopes=listed.digest,
        )
    )
    try:
        with transaction.atomic():
            # Two revokes at once: the second would name the epoch that the first one leaves.
            PatientFolder.objects.select_for_update(no_key=True).get(patient=patient, folder=folder)
            if current_epoch(patient, folder) != current:
                raise Conflict("This folder was moved just now. Look again.")
            keep_list(listed)
            act = submit_act(signed)
            settle_errands(kind=REKEY, subject=str(folder), account=patient)
    except ActConflict as error:
        raise Conflict("This folder was moved just now. Look again.") from error
    return act


def staying(patient: str, scope: str) -> set[str]:
    """Who holds a grant of this scope that stands, or one that waits for the chain."""
    found = {grant.grantee for grant in standing_grants(patient, scope)}
    return found | {act.fields["grantee"] for act in _waiting(patient, scope)}


def _waiting(patient: str, scope: str) -> list[Act]:
    """Waiting grants with no revoke after them."""
    acts = Act.objects.by(patient).of_kind("GrantAccess", "RevokeAccess").filter(fields__scope=scope)
    newest = {act.slot: act for act in acts.order_by("number", "created_at")}
    return [act for act in newest.values() if act.kind == "GrantAccess" and act.state == "waiting"]


def _recipients(actor: Actor, scope: str) -> list[tuple[PublicKey, Terms]]:
    """The keys of those who stay, each with its grant's terms. Who has no key to seal to is left behind."""
    patient = actor.address
    named = {
        grant.grantee: (grant.envelopes, grant.epoch, grant.permissions)
        for grant in standing_grants(patient, scope)
    }
    for act in _waiting(patient, scope):
        fields = act.fields
        named[fields["grantee"]] = (fields["envelopes"], fields["epoch"], fields["permissions"])
    found = []
    for key in reachable_keys(named):
        envelopes, epoch, permissions = named[key.account]
        about = ListAbout(Purpose.FOLDER, patient, patient, scope, epoch)
        terms = grant_terms(actor, envelopes, about)
        found.append((key, terms or Terms(purpose="PATRQT", kinds=(), permissions=permissions)))
    return found
