"""Reading the lists that the chain names and this database lacks: it is older, or another portal made them.

Whom a list names decides whether a folder is moved on, and which envelopes are to go.
"""

import logging
from collections.abc import Iterator
from itertools import islice

from django.core.cache import cache
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.directory import known_accounts
from accounts.models import Account
from accounts.services.errands import add_errand
from chain.contract.slots import folder_of_scope, folder_scope
from chain.errors import ChainUnavailable
from chain.models import Event, Sender
from chain.models.bulk import batches, insert_rows
from chain.node import client
from records.chain_words import ZERO_WORD
from records.content import delete_envelopes
from records.crypto.envelopes import Purpose
from records.errors import NotArrived, StoreDown
from records.models import Envelope, EnvelopeList, Fetch, Grant, Holding, Rekey
from records.services.envelopes import SHARING, ListAbout, about_scope, index_list, own_list
from records.services.epochs import current_epoch
from records.services.holders import REKEY, has_leaver
from records.services.rekeying import has_unserved
from records.services.renewing import RENEW, erase_superseded

logger = logging.getLogger(__name__)

AT_ONCE = 20
TRIED_AGAIN_AFTER = 600  # seconds


def read_lists() -> int:
    """Index the lists that concern people of this portal; note which of them were sealed here.

    Returns how many were read. One that is not there is tried again in some minutes.
    """
    due = (named for named in _unread() if cache.add(_cache_key(*named), 1, TRIED_AGAIN_AFTER))
    try:
        read = sum(_read_list(digest, about) for digest, about in islice(due, AT_ONCE))
    except StoreDown as error:
        logger.info("lists of envelopes cannot be read now: %s", type(error).__name__)
        return 0
    _ask_who_sealed()
    return read


def _read_list(digest: str, about: ListAbout) -> bool:
    """Index a list; its patient is asked to move the folder, if it names too many or too few."""
    try:
        is_new = index_list(digest, about)
    except NotArrived:
        is_new = False  # another portal has not given it yet, and others may be here
    if not is_new:
        _ask_to_seal_again(digest, about)
        return False
    folder = folder_of_scope(about.scope) if known_accounts([about.patient]) else None
    if folder is not None and (has_leaver(about.patient, folder) or has_unserved(about.patient, folder)):
        add_errand(account=about.patient, kind=REKEY, subject=str(folder))
    if about.purpose in (Purpose.RECORD, Purpose.SELECTION):
        _erase_replaced(digest, about)
    return True


def _erase_replaced(digest: str, about: ListAbout) -> None:
    """The envelopes of the grants before have had their day, now that those of this one are known."""
    events = Event.objects.applied().named("AccessGranted").about(about.sender)
    with transaction.atomic():
        for event in events.filter(args__envelopes=digest, args__scope=about.scope):
            erase_superseded(event)


def _ask_to_seal_again(digest: str, about: ListAbout) -> None:
    """A list that was sealed here, and lost with the database while it was held back, opens nothing."""
    try:
        if not _was_sent_from_here(digest, about.sender):
            return
    except ChainUnavailable as error:
        logger.info("who sealed a list cannot be asked now: %s", error)
        return
    ask_to_seal(about)


def ask_to_seal(about: ListAbout) -> None:
    """Ask a patient to seal anew what a list that opens nothing should hand over, if it still counts."""
    folder = folder_of_scope(about.scope)
    if folder is None:
        add_errand(account=about.patient, kind=RENEW, subject=about.scope)
    elif about.epoch >= current_epoch(about.patient, folder):
        add_errand(account=about.patient, kind=REKEY, subject=str(folder))


def list_of_event(event: Event) -> ListAbout:
    """Return what the list of a grant or of a folder's move is about."""
    if event.name == "FolderRekeyed":
        return about_scope(event.author, folder_scope(event["folder"]), event["toEpoch"])
    return about_scope(event.author, event["scope"], event["epoch"])


def _unread() -> Iterator[tuple[str, ListAbout]]:
    """The lists of grants and moves that have no row here, each with what it is about, but those to come.

    Of grants also those to people of this portal: who has no envelope here is shown no access.
    """
    patients = Account.objects.filter(kind=Account.Kind.PATIENT).values("address")
    known = EnvelopeList.objects.filter(
        digest=OuterRef("envelopes"), patient=OuterRef("patient"), epoch=OuterRef("epoch")
    )
    coming = Exists(Fetch.objects.filter(pk=OuterRef("envelopes")).exclude(state=Fetch.State.HERE))
    parties = Q(patient__in=patients) | Q(grantee__in=Account.objects.values("address"))
    grants = Grant.objects.filter(parties, ~Exists(known.filter(scope=OuterRef("scope"))), ~coming)
    for row in grants.exclude(envelopes__in=("", ZERO_WORD)).order_by("-pk").iterator():
        yield row.envelopes, about_scope(row.patient, row.scope, row.epoch)
    for move in (
        Rekey.objects.filter(~Exists(known), ~coming, patient__in=patients).order_by("-pk").iterator()
    ):
        yield move.envelopes, about_scope(move.patient, folder_scope(move.folder), move.epoch)


def _ask_who_sealed() -> None:
    """Ask the chain who sent the acts that name lists of unproven envelopes.

    A relayer sends only what its portal has accepted, and so has sealed. Nobody else can send with its key.
    """
    unproven = Envelope.objects.filter(list=OuterRef("pk"), verified=False)
    patients = Account.objects.filter(kind=Account.Kind.PATIENT).values("address")
    lists = EnvelopeList.objects.filter(Exists(unproven), sealed_here=None, purpose__in=SHARING)
    for row in lists.filter(sender__in=patients).order_by("pk")[:AT_ONCE]:
        try:
            is_own = _was_sent_from_here(row.digest, row.sender)
        except ChainUnavailable as error:
            logger.info("who sealed a list cannot be asked now: %s", error)
            return
        if is_own:
            _take_as_own(row)
        else:
            EnvelopeList.objects.filter(pk=row.pk).update(sealed_here=False)


def _was_sent_from_here(digest: str, author: str) -> bool:
    events = Event.objects.named("AccessGranted", "FolderRekeyed").about(author)
    hashes = events.filter(args__envelopes=digest).values_list("tx_hash", flat=True).distinct()
    receipts = client.receipts(list(hashes)) if hashes else []
    senders = {receipt.sender for receipt in receipts if receipt is not None}
    return Sender.objects.filter(address__in=senders).exists()


def _take_as_own(row: EnvelopeList) -> None:
    """What this portal has sealed and put is its own again; what has ended of it is erased."""
    with transaction.atomic():
        own_list(row)
        envelopes: QuerySet[Envelope] = row.envelopes.all()
        digests = {row.digest, *envelopes.values_list("digest", flat=True)}
        insert_rows([Holding(digest=digest) for digest in sorted(digests)], unique=("digest",))
        for some in batches(digests):  # the pin that was there before is this portal's
            Fetch.objects.filter(pk__in=some).update(pinned_before=False)
        delete_envelopes(set(envelopes.exclude(deleted_at=None).values_list("digest", flat=True)))


def _cache_key(digest: str, about: ListAbout) -> str:
    return f"list:{digest}:{about.patient}:{about.scope}:{about.epoch}"
