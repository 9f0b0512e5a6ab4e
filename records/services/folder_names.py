"""Which sealed name a folder has: the newest on the chain, or its patient's own one that waits for it."""

import logging
from collections.abc import Collection
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


Folder = tuple[str, int]  # a patient and the number of a folder


def sealed_names(folders: Collection[Folder]) -> dict[Folder, bytes]:
    """Return the sealed names of these folders, as far as they have one and its bytes are here."""
    digests = _name_digests(folders)
    if not digests:
        return {}
    patients, numbers = {patient for patient, _ in digests}, {number for _, number in digests}
    rows = PatientFolder.objects.filter(patient__in=patients, folder__in=numbers).exclude(sealed_name=None)
    own = {(row.patient, row.folder): bytes(row.sealed_name) for row in rows if row.sealed_name is not None}
    names = {folder: sealed for folder, sealed in own.items() if digest_of(sealed) == digests.get(folder)}
    missing = {digest for folder, digest in digests.items() if folder not in names}
    if missing:
        blobs = Blob.objects.filter(pk__in=missing).exclude(data=None)
        here = {blob.digest: bytes(blob.data) for blob in blobs if blob.data is not None}
        names |= {folder: here[digest] for folder, digest in digests.items() if digest in here}
    return names


def _name_digests(folders: Collection[Folder]) -> dict[Folder, str]:
    """The digest of each folder's name: of the highest serial that is confirmed or accepted here."""
    patients, numbers = {patient for patient, _ in folders}, {number for _, number in folders}
    newest: dict[Folder, tuple[int, str]] = {}
    for state in FolderState.objects.filter(patient__in=patients, folder__in=numbers, name_serial__gt=0):
        newest[state.patient, state.folder] = (state.name_serial, state.name)
    acts = Act.objects.reserving().of_kind("NameFolder").filter(author__in=patients)
    for patient, number, fields in acts.values_list("author", "number", "fields"):
        folder = (patient, fields["folder"])
        if number > newest.get(folder, (0, ""))[0]:
            newest[folder] = (number, fields["name"])
    return {folder: digest for folder, (_, digest) in newest.items() if folder in folders}


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
