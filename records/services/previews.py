"""Looking at a content in the portal: who may open it sees it; the patient reads of it as of a download."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from urllib.parse import urlencode

from accounts.actor import Actor
from records.media_types import HEAD_BYTES as MEDIA_HEAD_BYTES
from records.media_types import ending_of, media_type_of
from records.previews.errors import CannotShow
from records.previews.kinds import HEAD_BYTES, Kind, Look, look_at
from records.previews.sandbox import decoder
from records.previews.text import TEXT_BYTES_MAX, Text, read_text
from records.services.file_names import safe_name
from records.services.reading import FoundContent, find_content, log_look, open_unlogged
from records.shapes import OpenedContent

DICOM = "application/dicom"
NOT_SHOWN = "Files of this kind are not shown here. Save the file to open it with a program of yours."
EMPTY = "This file is empty."
DAMAGED_INNER = "This DICOM file holds a file that is damaged. Save the DICOM file to look at it."


@dataclass(frozen=True)
class Preview:
    """A content, opened, and what its own first bytes say it is; `look` is None where it is not shown."""

    found: FoundContent
    opened: OpenedContent
    look: Look | None
    part: bool = False  # `opened` is a file inside the content

    @property
    def etag(self) -> str:
        """A strong validator of these bytes, quoted."""
        etag = self.found.etag
        return f'"{etag.strip(chr(34))}-inner"' if self.part else etag


@dataclass(frozen=True)
class Picture:
    """A picture of one or more frames. `window` is (centre, width); None for colours and for a file's table.

    `low` and `high` bound the values of the first frame, in the modality's units; `varies`: each frame has a
    window of its own; `overlay`: something is drawn over it. `tags` are (tag, name, value); `report` and
    `inner` are what the file holds instead of a picture; `notes` are sentences; `error` says why there is
    no picture.
    """

    width: int = 0
    height: int = 0
    frames: int = 0
    window: tuple[float, float] | None = None
    presets: list[tuple[str, float, float]] = field(default_factory=list)
    low: float = 0
    high: float = 0
    varies: bool = False
    overlay: bool = False
    tags: list[tuple[str, str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    report: str = ""
    inner: bool = False
    error: str = ""

    @property
    def window_query(self) -> str:
        """Return the query of the first frame: its window, where all frames have the same."""
        if self.window is None or self.varies:
            return ""
        return urlencode({"centre": self.window[0], "width": self.window[1]})

    @property
    def centres(self) -> tuple[float, float]:
        """Return how far the centre of the window may be moved: over all values, and to every preset."""
        named = [centre for _, centre, _ in self.presets]
        return min([self.low, *named]), max([self.high, *named])

    @property
    def widths(self) -> tuple[float, float]:
        """Return how narrow and how wide the window may be."""
        whole = max([self.high - self.low, *(width for _, _, width in self.presets)]) or 1.0
        return whole / 500, whole


def begin_preview(*, actor: Actor, record: str, version: int) -> Preview:
    """For the page: every call is a look of its own, where there is something to look at.

    Raises NotFound, AccessRefused, VaultClosed, StoreDown.
    """
    return _open(actor, record, version, begins=True)


def continue_preview(*, actor: Actor, record: str, version: int) -> Preview:
    """For the bytes that a page fetches: access is asked anew, and they belong to the page's look.

    Raises NotFound, AccessRefused, VaultClosed, StoreDown.
    """
    return _open(actor, record, version, begins=False)


def text_of(preview: Preview, encoding: str = "") -> Text:
    """The beginning of a text, in the encoding that its reader chooses, if any. Raises StoreDown."""
    opened = preview.opened
    data = b"".join(opened.iterate(0, min(opened.size, TEXT_BYTES_MAX)))
    return read_text(
        data,
        cut=opened.size > TEXT_BYTES_MAX,
        name=opened.file_name,
        media_type=opened.media_type,
        chosen=encoding,
        detect=partial(_detected, preview),
    )


def _detected(preview: Preview) -> str:
    """The encoding as the decoder's process guesses it; "" where it does not."""
    try:
        return _ask(preview, "encoding").decode()
    except CannotShow:
        return ""


def picture_of(preview: Preview) -> Picture:
    """Return what there is to know before a picture is shown. Raises StoreDown, CannotShow."""
    dicom = preview.look is not None and preview.look.media_type == DICOM
    told = json.loads(_ask(preview, "describe" if dicom else "measure"))
    told["window"] = tuple(told["window"]) if told.get("window") else None
    return Picture(**told)


def inner_of(preview: Preview) -> Preview:
    """The file inside a DICOM file, which is a part of its bytes. Raises StoreDown, CannotShow."""
    if preview.look is None or preview.look.media_type != DICOM:
        raise CannotShow(NOT_SHOWN)
    whole, told = preview.opened, json.loads(_ask(preview, "inner"))
    start, length = int(told["offset"]), int(told["length"])
    if start < 0 or length <= 0 or start + length > whole.size:
        raise CannotShow(DAMAGED_INNER)
    head = b"".join(whole.iterate(start, start + min(length, MEDIA_HEAD_BYTES)))
    kind = media_type_of(head, name="")
    opened = replace(
        whole,
        file_name=f"{safe_name(told['title'] or 'document').removesuffix(ending_of(kind))}{ending_of(kind)}",
        media_type=kind,
        size=length,
        iterate=partial(_iterate_inner, whole, start),
    )
    return Preview(preview.found, opened, look_at(head[:HEAD_BYTES]), part=True)


def _iterate_inner(whole: OpenedContent, at: int, start: int, end: int) -> Iterator[bytes]:
    return whole.iterate(at + start, at + end)


def frame_of(
    preview: Preview, frame: int, window: tuple[float, float] | None = None, *, overlay: bool = True
) -> bytes:
    """A frame, from 0, as PNG. Raises StoreDown, CannotShow."""
    if preview.look is None or preview.look.kind is not Kind.FRAMES:
        raise CannotShow(NOT_SHOWN)
    if preview.look.media_type == DICOM:
        return _ask(preview, "dicom", frame=frame, window=window, overlay=overlay)
    return _ask(preview, "page", frame=frame)


def _open(actor: Actor, record: str, version: int, *, begins: bool) -> Preview:
    found = find_content(actor=actor, record=record, version=version)
    opened = open_unlogged(found)
    head = b"".join(opened.iterate(0, min(opened.size, HEAD_BYTES)))
    look = look_at(head) if head else None
    if look is not None:
        log_look(found, begins=begins)
    return Preview(found, opened, look)


def _ask(preview: Preview, what: str, **more: object) -> bytes:
    opened = preview.opened
    return decoder.ask(what, size=opened.size, read_at=partial(_read_at, opened), **more)


def _read_at(opened: OpenedContent, offset: int, length: int) -> Iterator[bytes]:
    return opened.iterate(offset, offset + length)
