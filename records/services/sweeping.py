"""What nobody asks for and must happen all the same: ending grants that ran out, forgetting old drafts."""

import logging
from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from chain.models import Act
from chain.support.moments import SKEW, is_past
from records.access import narrow
from records.content import remove_staged, staging
from records.models import Envelope, Grant, GrantDraft, Upload
from records.services.envelopes import SHARING
from records.services.holders import grants_to_end
from records.services.revocations import end_grant
from records.services.upload_rows import KEPT, STALE_AFTER
from records.storage.errors import StorageError

logger = logging.getLogger(__name__)

DRAFT_KEPT = timedelta(days=1)
UNVERIFIED_AT_ONCE = 100  # a list from elsewhere may name 12,482 accounts: they must not hold up the others


def sweep_records() -> int:
    """One round. Returns how many grants it has found ended."""
    now = timezone.now()
    GrantDraft.objects.filter(created_at__lt=now - DRAFT_KEPT).delete()
    _forget_uploads()
    standing = _standing()
    ended = _sealed_to(verified=True) - standing
    ended |= set(sorted(_sealed_to(verified=False) - standing - ended)[:UNVERIFIED_AT_ONCE])
    ended |= set(sorted(grants_to_end() - standing - ended)[:UNVERIFIED_AT_ONCE])
    for patient, scope, grantee in ended:
        with transaction.atomic():
            end_grant(patient=patient, grantee=grantee, scope=scope)
    return len(ended)


def _forget_uploads() -> None:
    """Uploads that nobody finished; and what no upload in SQL names in staging."""
    now = timezone.now()
    alive = Q(state=Upload.State.DONE) | ~is_past("claimed_at", STALE_AFTER + SKEW)
    Upload.objects.filter(created_at__lt=now - KEPT).exclude(alive).delete()
    try:
        found = staging().names()  # read first: a name is committed before its file is made
    except StorageError as error:
        logger.warning("staging: %s: %s", type(error).__name__, error)
        return
    named = set(Upload.objects.filter(staged__isnull=False).values_list("staged", flat=True))
    for name in set(found) - named:
        remove_staged(name)


def _sealed_to(*, verified: bool) -> set[tuple[str, str, str]]:
    """(patient, scope, grantee) of every envelope that is still to be found."""
    found = Envelope.objects.filter(deleted_at=None, list__purpose__in=SHARING, verified=verified)
    rows = found.values_list("list__patient", "list__scope", "recipient").distinct()
    return {(patient, scope, recipient) for patient, scope, recipient in rows if patient != recipient}


def _standing() -> set[tuple[str, str, str]]:
    """Return the same of every grant that stands, or waits for the chain."""
    rows = Grant.objects.filter(ended=Grant.Ended.NO, expiry__gt=timezone.now())
    standing = {(grant.patient, grant.scope, grant.grantee) for grant in narrow(rows)}
    waiting = Act.objects.waiting().of_kind("GrantAccess")
    for author, fields in waiting.values_list("author", "fields"):
        standing.add((author, fields["scope"], fields["grantee"]))
    return standing
