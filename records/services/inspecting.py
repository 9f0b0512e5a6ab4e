"""What every plaintext is asked on its way in: what kind it is, and does the scanner find anything."""

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from django.conf import settings

from records.errors import Infected, ScannerDown, TooLarge, WrongType
from records.media_types import (
    DEFAULT_TYPES,
    HEAD_BYTES,
    TYPES,
    UNKNOWN,
    NameContradicts,
    media_type_of,
    words,
)
from records.scanner import Scan, ScannerFailed, ScannerLimit
from records.services.file_names import safe_name

logger = logging.getLogger(__name__)


def describe_types() -> str:
    """Describe the types that are taken, before a file is chosen."""
    if sorted(settings.UPLOAD_TYPES) == DEFAULT_TYPES:
        return "PDF, pictures, DICOM, documents, sound, video and other files; no programs and no web pages."
    return f"Taken are {', '.join(sorted({words(kind) for kind in settings.UPLOAD_TYPES}))}."


def picker_types() -> str:
    """Return what the browser's file picker offers: the types that are taken, "" where any file is."""
    if UNKNOWN in settings.UPLOAD_TYPES:
        return ""
    taken = set(settings.UPLOAD_TYPES)
    endings = [f".{end}" for ends, kind in TYPES.items() if kind in taken for end in ends.split()]
    return ",".join([*sorted(taken), *endings])


def check_type(head: bytes, *, file_name: str, declared: str) -> str:
    """The media type of a file that begins like this. Raises WrongType for one that is not taken.

    Its name counts as the one that it will be saved under.
    """
    name = safe_name(file_name)
    try:
        kind = media_type_of(head, name=name, declared=declared)
    except NameContradicts as error:
        raise WrongType(f"{error} It was not taken.") from error
    if kind in settings.UPLOAD_TYPES:
        return kind
    said = "This file is" if media_type_of(head, name="") == kind else "By its name, this file is"
    raise WrongType(f"{said} {words(kind)}, which is not taken here. Nothing was saved.")


class Inspection:
    """One file on its way. `media_type` is known once it is at its end."""

    def __init__(self, scan: Scan | None, *, file_name: str, declared: str) -> None:
        self._scan = scan
        self._file_name, self._declared = file_name, declared
        self._head = bytearray()
        self.media_type = ""

    def feed(self, plain: bytes) -> None:
        """The next bytes of the file. Raises WrongType, TooLarge, ScannerDown."""
        if not self.media_type:
            self._head += plain[: HEAD_BYTES - len(self._head)]
            if len(self._head) >= HEAD_BYTES:
                self._find_type()
        if self._scan is not None:
            with _scanner_errors():
                self._scan.feed(plain)

    def end(self) -> None:
        """That was all. Raises WrongType, Infected, TooLarge, ScannerDown."""
        if not self.media_type:
            self._find_type()
        if self._scan is not None:
            with _scanner_errors():
                finding = self._scan.finding()
            if finding:
                logger.warning("The scanner found %s in an upload", finding)
                raise Infected(f"The malware scanner found {finding} in this file. Nothing was saved.")

    def _find_type(self) -> None:
        self.media_type = check_type(bytes(self._head), file_name=self._file_name, declared=self._declared)


def inspecting_draft(draft: dict[str, Any]) -> AbstractContextManager[Inspection]:
    """The inspection of an upload's file. Raises ScannerDown."""
    return inspecting(file_name=str(draft["file_name"]), declared=str(draft["media_type"]))


@contextmanager
def inspecting(*, file_name: str, declared: str) -> Iterator[Inspection]:
    """An inspection, with a scan where CLAMD_URL names a scanner. Raises ScannerDown."""
    if not settings.CLAMD_URL:
        yield Inspection(None, file_name=file_name, declared=declared)
        return
    with _scanner_errors():
        scan = Scan(settings.CLAMD_URL, settings.CLAMD_TIMEOUT)
    with scan:
        yield Inspection(scan, file_name=file_name, declared=declared)


@contextmanager
def _scanner_errors() -> Iterator[None]:
    try:
        yield
    except ScannerLimit as error:
        raise TooLarge(
            "This file is larger than the malware scanner takes, so it cannot be accepted. Nothing was saved."
        ) from error
    except ScannerFailed as error:
        logger.warning("clamd: %s", error)
        raise ScannerDown(
            "The malware scanner does not answer, and no file is accepted unscanned. Try again later."
        ) from error
