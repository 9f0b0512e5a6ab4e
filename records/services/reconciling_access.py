"""Whether who has access can open it, and whether what needs a patient's key waits as an errand."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet
from django.db.models.functions import Length
from django.utils import timezone

from accounts.directory import newest_digests, unusable_keys
from accounts.models import Account, Errand
from accounts.services.errands import add_errand
from chain.contract.slots import folder_of_scope, slot_epoch, slot_record
from chain.models import Act
from chain.reconcile.run import Check, Finding, Repair, RunOptions, row_chunks
from records.access import LiveGrant, narrow, slot_of
from records.chain_words import raw, word
from records.content import read_blob, store
from records.crypto.envelopes import Purpose
from records.crypto.ids import selection_id
from records.models import (
    Blob,
    Envelope,
    EnvelopeList,
    FolderState,
    Grant,
    QueuedKey,
    Record,
    Rekey,
    Selection,
    Version,
)
from records.services.envelopes import SHARING
from records.services.errands import WRAP
from records.services.holders import REKEY, has_leaver
from records.services.reconciling_files import as_foreign, is_foreign
from records.services.reconciling_keys import HERE
from records.services.renewing import RENEW

_FOLDERS = "0x" + 60 * "0"  # how the scope of a folder begins, and that of nothing else
_WRAPPED = 82  # characters of a wrapped data key; a list's digest has 66


@dataclass(frozen=True)
class _Held:
    """An envelope that can be found; `usable` if its bytes are here or in the store."""

    row: Envelope
    usable: bool


_Place = tuple[str, str, str]


def find_grants_without_envelope(options: RunOptions) -> Iterator[Finding]:
    """Grants that stand and open nothing, or what an institution's former key opens too."""
    kept = {cid.hex for cid in store().kept()}
    standing = Grant.objects.filter(patient__in=_patients(), ended=Grant.Ended.NO)
    for part in row_chunks(standing.filter(expiry__gt=timezone.now()), options):
        pks = {slot_of(row): row.pk for row in part}
        grants = narrow(Grant.objects.filter(pk__in=list(pks.values())))
        held, newest = _held(grants, kept), newest_digests(grant.grantee for grant in grants)
        epochs, unusable = _epochs(grants), unusable_keys(grant.grantee for grant in grants)
        for grant in grants:
            mine = held.get((grant.patient, grant.scope, grant.grantee), [])
            problem = _problem(grant, mine, epochs, newest.get(grant.grantee))
            if problem and grant.grantee in unusable:
                yield Finding(
                    f"grant {pks[slot_of(grant)]}", f"{problem}; its grantee's key cannot be used", note=True
                )
            elif problem:
                yield _to_seal(f"grant {pks[slot_of(grant)]}", problem, grant, mine)


def find_folders_to_rekey(options: RunOptions) -> Iterator[Finding]:
    """Folders whose current secret somebody has, or may have, who has no grant of them (any more)."""
    for patient, folder in _shared_folders():
        options.tick(1)
        if not has_leaver(patient, folder):
            continue
        if not _is_asked(patient, REKEY, str(folder), slot_epoch(patient, folder)):
            row = FolderState.objects.filter(patient=patient, folder=folder).first()
            subject = f"folder state {row.pk}" if row else f"folder {folder} of account {_account(patient)}"
            yield Finding(
                subject, "is to be moved on, and nobody is asked", _asking(patient, REKEY, str(folder))
            )


def find_keys_to_wrap(options: RunOptions) -> Iterator[Finding]:
    """Filed records whose data key is sealed to the patient, who is not asked to wrap it."""
    newer = Version.objects.filter(record=OuterRef("record"), version__gt=OuterRef("version"))
    sealed = Version.objects.exclude(folder=0).filter(~Exists(newer), record__patient__in=_patients())
    sealed = sealed.annotate(size=Length("secret")).filter(size__lt=_WRAPPED, record__closed=0)
    for part in row_chunks(sealed.select_related("record"), options):
        for row in part:
            patient, record = row.record.patient, row.record_id
            if _is_dropped(WRAP, record, row.at):
                continue  # its patient found it damaged: there is no key to wrap
            if not _is_asked(patient, WRAP, record, slot_record(record)):
                what = "its data key waits to be wrapped, and nobody is asked"
                yield Finding(f"record {record}", what, _asking(patient, WRAP, record))


def find_lost_keys(options: RunOptions) -> Iterator[Finding]:
    """Versions whose data key was sealed to the patient in an envelope that is nowhere."""
    kept = {cid.hex for cid in store().kept()}
    sealed = Version.objects.annotate(size=Length("secret"))
    sealed = sealed.filter(size__lt=_WRAPPED, record__patient__in=_patients())
    queued = QueuedKey.objects.filter(
        record=OuterRef("record"), version=OuterRef("version"), recipient=OuterRef("record__patient")
    )
    for part in row_chunks(sealed.filter(~Exists(queued)).select_related("record"), options):
        lists = {row.secret for row in part}
        rows = Envelope.objects.filter(list__digest__in=lists, list__purpose=Purpose.INBOX)
        digests: dict[tuple[str, str, str], set[str]] = {}
        for listed, record, recipient, digest in rows.values_list(
            "list__digest", "list__scope", "recipient", "digest"
        ):
            digests.setdefault((listed, record, recipient), set()).add(digest)
        here = _here({*lists, *(digest for some in digests.values() for digest in some)}) | kept
        for row in part:
            # Where the list has not been looked at yet, its own bytes count.
            wanted = digests.get((row.secret, row.record_id, row.record.patient), {row.secret})
            if not wanted & here:
                what = f"the key of version {row.version} was sealed to its patient, and is nowhere"
                finding = Finding(f"version {row.pk}", what)
                yield as_foreign(finding, row.secret) if is_foreign(row) else finding


def find_lost_selections(options: RunOptions) -> Iterator[Finding]:
    """Grants of selections whose list of records is missing here, or is not the one of the selection's id."""
    standing = Grant.objects.filter(patient__in=_patients(), ended=Grant.Ended.NO, expiry__gt=timezone.now())
    alone = standing.exclude(scope__startswith=_FOLDERS).filter(
        ~Exists(Record.objects.filter(pk=OuterRef("scope")))
    )
    for part in row_chunks(alone, options):
        found = Selection.objects.filter(pk__in=[row.scope for row in part]).prefetch_related("records")
        selections = {row.selection: row for row in found}
        for grant in part:
            row = selections.get(grant.scope)
            if row is not None and _selection_of(row) == (grant.patient, grant.scope):
                continue
            if _is_asked(grant.patient, RENEW, grant.scope, slot_of(grant)):
                yield Finding(
                    f"grant {grant.pk}", "its list of records is lost; its patient is asked", note=True
                )
            else:
                repair = _asking(grant.patient, RENEW, grant.scope)
                yield Finding(f"grant {grant.pk}", "its list of records is lost", repair)


CHECKS = (
    Check("R205", "grants open nothing, or too much", find_grants_without_envelope),
    Check("R206", "folders wait to be moved on, and nobody is asked", find_folders_to_rekey),
    Check("R207", "data keys wait to be wrapped, and nobody is asked", find_keys_to_wrap),
    Check("R208", "data keys are lost", find_lost_keys),
    Check("R209", "selections have lost their records", find_lost_selections),
)


def _selection_of(row: Selection) -> tuple[str, str]:
    """The patient, and the id that the rows make; "" where they make none."""
    try:
        made = selection_id(row.patient, raw(row.nonce), (raw(one.record) for one in row.records.all()))
    except ValueError:
        return row.patient, ""
    return row.patient, word(made)


def _patients() -> "QuerySet[Account, str]":
    """Whose lists are made here, and who can be asked."""
    return Account.objects.filter(kind=Account.Kind.PATIENT).values_list("address", flat=True)


def _account(address: str) -> str:
    return str(Account.objects.values_list("pk", flat=True).get(address=address))


def _here(digests: Iterable[str]) -> set[str]:
    return set(Blob.objects.filter(pk__in=digests, state__in=HERE).values_list("pk", flat=True))


def _shared_folders() -> list[tuple[str, int]]:
    """The folders that the chain, or a list kept here, says were shared."""
    grants = Grant.objects.filter(patient__in=_patients(), scope__startswith=_FOLDERS)
    lists = EnvelopeList.objects.filter(purpose=Purpose.FOLDER, patient__in=_patients())
    scopes = {*grants.values_list("patient", "scope"), *lists.values_list("patient", "scope")}
    folders = {(patient, folder_of_scope(scope)) for patient, scope in scopes}
    folders |= set(Rekey.objects.filter(patient__in=_patients()).values_list("patient", "folder"))
    return sorted((patient, folder) for patient, folder in folders if folder is not None)


def _held(grants: list[LiveGrant], kept: set[str]) -> dict[_Place, list[_Held]]:
    """The envelopes that can be found, by patient, scope and recipient."""
    found = list(
        Envelope.objects.filter(
            list__patient__in={grant.patient for grant in grants},
            list__scope__in={grant.scope for grant in grants},
            list__sender=F("list__patient"),
            list__purpose__in=SHARING,
            deleted_at=None,
        ).select_related("list")
    )
    here = _here(row.digest for row in found) | kept
    held: dict[_Place, list[_Held]] = {}
    for row in found:
        place = (row.list.patient, row.list.scope, row.recipient)
        held.setdefault(place, []).append(_Held(row, row.digest in here))
    return held


def _epochs(grants: list[LiveGrant]) -> dict[tuple[str, int], int]:
    states = FolderState.objects.filter(patient__in={grant.patient for grant in grants})
    return {(row.patient, row.folder): row.epoch for row in states}


def _problem(
    grant: LiveGrant, held: list[_Held], epochs: dict[tuple[str, int], int], newest: str | None
) -> str:
    if grant.folder is not None:
        epoch = epochs.get((grant.patient, grant.folder), 0)
        right = [one for one in held if one.row.list.epoch >= epoch]
    else:
        right = [one for one in held if one.row.list.digest == grant.envelopes]
    if not right:
        return "has no envelope for its grantee"
    if not any(one.usable for one in right):
        return "the bytes of its envelope are nowhere"
    if grant.folder is None and newest not in (None, *(one.row.key_digest for one in right)):
        return "is sealed to a former key of its grantee"
    return ""


def _to_seal(subject: str, problem: str, grant: LiveGrant, held: list[_Held]) -> Finding:
    """To be sealed anew by the patient; only told where that is under way."""
    folder = grant.folder
    kind, about = (RENEW, grant.scope) if folder is None else (REKEY, str(folder))
    slot = slot_of(grant) if folder is None else slot_epoch(grant.patient, folder)
    if _is_asked(grant.patient, kind, about, slot):
        return Finding(subject, f"{problem}; its patient is asked", note=True)
    lost = [one.row for one in held if not one.usable]

    def seal() -> str:
        still = [row for row in lost if read_blob(row.digest) is None]
        if lost and not still:
            return "its envelope was found in the store"
        with transaction.atomic():
            # What is nowhere counts as erased, so that the patient's errand sees that it is missing.
            Envelope.objects.filter(pk__in=[row.pk for row in still]).update(deleted_at=timezone.now())
            add_errand(account=grant.patient, kind=kind, subject=about)
        return "its patient is asked to seal it anew"

    return Finding(subject, problem, seal)


def _is_asked(patient: str, kind: str, subject: str, slot: str) -> bool:
    """Whether an errand of this kind is open, or an act that settles it waits."""
    errands = Errand.objects.filter(account=patient, kind=kind, subject=subject, state=Errand.State.OPEN)
    return errands.exists() or Act.objects.waiting().filter(slot=slot).exists()


def _is_dropped(kind: str, subject: str, since: datetime) -> bool:
    """Whether an errand about this subject was given up after this moment."""
    dropped = Errand.objects.filter(kind=kind, subject=subject, state=Errand.State.DROPPED)
    return dropped.filter(settled_at__gte=since).exists()


def _asking(patient: str, kind: str, subject: str) -> Repair:
    def ask() -> str:
        add_errand(account=patient, kind=kind, subject=subject)
        return "its patient is asked"

    return ask
