"""Moving a folder to a higher epoch when a grant of it has ended: new envelopes for those who stay."""

from contextlib import suppress

from django.db import transaction

from accounts.actor import Actor
from accounts.directory import PublicKey, newest_digests
from accounts.services.errands import settle_errands
from accounts.services.limits import wait_in_line
from chain.acts.messages import prepare_act
from chain.contract.slots import folder_scope
from chain.errors import ActConflict
from chain.models import Act
from chain.outbox.submit import submit_act
from chain.status.freshness import require_fresh
from records.access import standing_grants
from records.crypto.envelopes import Purpose
from records.crypto.payloads import FolderPayload, Terms
from records.errors import Conflict, FolderMoved, StoreDown
from records.models import Envelope
from records.services.acceptance import prepare_until_kept
from records.services.envelopes import ListAbout, grant_terms, keep_list, reachable_keys, seal_each
from records.services.epochs import current_epoch, hand_out, next_epoch
from records.services.holders import REKEY, has_leaver, holders_of, staying, waiting_grants
from records.services.scopes import folder_secrets

UNKNOWN_TERMS = Terms(purpose="PATRQT", kinds=(), permissions=1)


def needs_rekey(patient: str, folder: int) -> bool:
    """Tell whether the folder's current secret is with somebody who left, or not with somebody who stays.

    Also whether it may be with somebody whom nobody here knows: a list that hands it out is not known here.
    """
    if holders_of(patient, folder).unread or has_leaver(patient, folder):
        return True
    return has_unserved(patient, folder)


def has_unserved(patient: str, folder: int) -> bool:
    """Tell whether who stays has a key, and no envelope (any more) to find the current secret in."""
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

    Raises Conflict, ChainDown, ChainNotRead, VaultClosed.
    """
    require_fresh()  # who stays is sealed a secret: nobody whose grant has ended
    return prepare_until_kept(lambda: _move_on(actor, folder))


def _move_on(actor: Actor, folder: int) -> Act | None:
    patient, scope = actor.address, folder_scope(folder)
    if not needs_rekey(patient, folder):
        settle_errands(kind=REKEY, subject=str(folder), account=patient)
        return None
    stays = staying(patient, scope)
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
            # Two at once: the second would name the epoch that the first one leaves, or seal to who has left.
            wait_in_line([patient])
            if current_epoch(patient, folder) != current or staying(patient, scope) != stays:
                raise FolderMoved
            keep_list(listed)
            act = submit_act(signed)
            if not needs_rekey(patient, folder):
                settle_errands(kind=REKEY, subject=str(folder), account=patient)
    except ActConflict as error:
        raise Conflict("This folder was moved just now. Look again.") from error
    return act


def _recipients(actor: Actor, scope: str) -> list[tuple[PublicKey, Terms]]:
    """The keys of those who stay, each with its grant's terms. Who has no key to seal to is left behind.

    No move waits for terms that another portal, or a store that is away, has: they are left out.
    """
    patient = actor.address
    named = {
        grant.grantee: (grant.envelopes, grant.epoch, grant.permissions)
        for grant in standing_grants(patient, scope)
    }
    for act in waiting_grants(patient, scope):
        fields = act.fields
        named[fields["grantee"]] = (fields["envelopes"], fields["epoch"], fields["permissions"])
    found = []
    for key in reachable_keys(named):
        envelopes, epoch, permissions = named[key.account]
        about = ListAbout(Purpose.FOLDER, patient, patient, scope, epoch)
        terms = None
        with suppress(StoreDown):
            terms = grant_terms(actor, envelopes, about)
        found.append((key, terms or Terms(purpose="PATRQT", kinds=(), permissions=permissions)))
    return found
