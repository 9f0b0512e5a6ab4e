"""Which sealed name a folder has: the newest on the chain, or its patient's own one that waits for it."""

import logging
from itertools import islice

from django.core.cache import cache
from django.db.models import Exists, OuterRef

from accounts.models import Account
from chain.models import Act
from records.content import digest_of, keep_blob, open_stored
from records.crypto.folders import NAME_SEALED_BYTES
from records.models import Blob, FolderState, PatientFolder
from records.storage import Cid
from records.storage.errors import StorageError

logger = logging.getLogger(__name__)

AT_ONCE = 20
TRIED_AGAIN_AFTER = 3600  # seconds


def sealed_names(patient: str, folders: list[int]) -> dict[int, bytes]:
    """Return the sealed names of these folders, as far as they have one and its bytes are here."""
    digests = _name_digests(patient, folders)
    rows = PatientFolder.objects.filter(patient=patient, folder__in=digests).exclude(sealed_name=None)
    own = {row.folder: bytes(row.sealed_name) for row in rows if row.sealed_name is not None}
    names = {folder: sealed for folder, sealed in own.items() if digest_of(sealed) == digests[folder]}
    missing = {digest for folder, digest in digests.items() if folder not in names}
    if missing:
        blobs = Blob.objects.filter(pk__in=missing).exclude(data=None)
        here = {blob.digest: bytes(blob.data) for blob in blobs if blob.data is not None}
        names |= {folder: here[digest] for folder, digest in digests.items() if digest in here}
    return names


def _name_digests(patient: str, folders: list[int]) -> dict[int, str]:
    """The digest of each folder's name: of the highest serial that is confirmed or accepted here."""
    newest: dict[int, tuple[int, str]] = {}
    for state in FolderState.objects.filter(patient=patient, folder__in=folders, name_serial__gt=0):
        newest[state.folder] = (state.name_serial, state.name)
    acts = Act.objects.reserving().by(patient).of_kind("NameFolder")
    for number, fields in acts.values_list("number", "fields"):
        folder = fields["folder"]
        if folder in folders and number > newest.get(folder, (0, ""))[0]:
            newest[folder] = (number, fields["name"])
    return {folder: digest for folder, (_, digest) in newest.items()}


def fetch_folder_names() -> int:
    """Copy names that another portal or wallet gave from the store; how many.

    A page never waits for the store because of a name. A name that is not there is tried again in an hour.
    """
    patients = Account.objects.filter(kind=Account.Kind.PATIENT).values("address")
    named = FolderState.objects.filter(name_serial__gt=0, patient__in=patients)
    strange = named.filter(~Exists(Blob.objects.filter(pk=OuterRef("name")))).order_by("pk")
    digests = list(strange.values_list("name", flat=True))
    due = (digest for digest in digests if cache.add(f"folder-name:{digest}", 1, TRIED_AGAIN_AFTER))
    return sum(map(_fetch, islice(due, AT_ONCE)))


def fetch_missing_names() -> int:
    """Copy every name that is in the store and not here, however lately it was looked for; how many."""
    patients = Account.objects.filter(kind=Account.Kind.PATIENT).values("address")
    named = FolderState.objects.filter(name_serial__gt=0, patient__in=patients)
    missing = named.filter(~Exists(Blob.objects.filter(pk=OuterRef("name"))))
    return sum(_fetch(digest) for digest in set(missing.values_list("name", flat=True)))


def _fetch(digest: str) -> bool:
    try:
        with open_stored(Cid.from_digest(digest)) as blob:
            if blob.size != NAME_SEALED_BYTES:
                return False
            keep_blob(blob.read_at(0, blob.size))
    except StorageError as error:
        logger.info("a folder's name cannot be read now: %s: %s", type(error).__name__, error)
        return False
    return True
