"""Overlays (PS3.3, C.9.2): lines and letters that a device or a person has drawn over the picture."""

from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from records.previews.pictures import PIXELS_MAX

Array = np.ndarray[Any, Any]

GROUPS = range(0x6000, 0x6020, 2)
COLOUR = (255, 214, 10)
DRAWN = "Yellow lines and letters are an overlay of the file, drawn over the picture."
NOT_DRAWN = "The file has an overlay (lines or letters over the picture) that is not drawn here."


def overlay_notes(header: Dataset) -> list[str]:
    """Return the page's notes on the overlays."""
    drawn = [group for group in _groups(header) if _readable(header, group)]
    notes = [DRAWN] if drawn else []
    return [*notes, NOT_DRAWN] if len(drawn) < len(_groups(header)) else notes


def has_overlay(header: Dataset) -> bool:
    """Return whether there is one that is drawn."""
    return any(_readable(header, group) for group in _groups(header))


def draw_overlays(shades: Array, header: Dataset, frame: int) -> Array:
    """The picture, (rows, columns) or with 3 colours, with its overlays for this frame drawn in colour."""
    masks = [
        mask for group in _groups(header) if (mask := _mask(header, group, frame, shades.shape)) is not None
    ]
    if not any(mask.any() for mask in masks):
        return shades
    picture = np.stack([shades] * 3, axis=-1) if shades.ndim == 2 else shades.copy()
    for mask in masks:
        picture[mask] = COLOUR
    return picture


def _groups(header: Dataset) -> list[int]:
    """The groups with an overlay. Older files keep it in bits of the pixels, and have no data of its own."""
    return [group for group in GROUPS if (group, 0x10) in header and (group, 0x11) in header]


def _readable(header: Dataset, group: int) -> bool:
    try:
        rows, columns, frames, first = _size(header, group)
        data = header[group, 0x3000].value
        return 0 < rows * columns * frames <= len(data) * 8 and rows * columns <= PIXELS_MAX and first >= 1
    except (KeyError, TypeError, ValueError, AttributeError):
        return False


def _size(header: Dataset, group: int) -> tuple[int, int, int, int]:
    """Rows, columns, frames of the overlay, and the picture's frame (from 1) that it begins at."""
    rows, columns = int(header[group, 0x10].value), int(header[group, 0x11].value)
    frames, first = ((int(header[group, tag].value) if (group, tag) in header else 1) for tag in (0x15, 0x51))
    return rows, columns, frames, first


def _mask(header: Dataset, group: int, frame: int, shape: tuple[int, ...]) -> Array | None:
    """Return which pixels of the picture are the overlay's."""
    if not _readable(header, group):
        return None
    rows, columns, frames, first = _size(header, group)
    own = frame - (first - 1) if (group, 0x15) in header else 0  # without frames of its own it lies over all
    if not 0 <= own < frames:
        return None
    size = rows * columns
    start = own * size
    data = np.frombuffer(header[group, 0x3000].value, np.uint8)[start // 8 : (start + size + 7) // 8]
    bits = np.unpackbits(data, bitorder="little")[start % 8 : start % 8 + size].reshape(rows, columns)
    top, left = _origin(header, group)
    mask = np.zeros(shape[:2], bool)
    part = bits[max(-top, 0) : shape[0] - top, max(-left, 0) : shape[1] - left].astype(bool)
    if part.size:
        row, column = max(top, 0), max(left, 0)
        mask[row : row + part.shape[0], column : column + part.shape[1]] = part
    return mask


def _origin(header: Dataset, group: int) -> tuple[int, int]:
    """Return where its first pixel lies, from 0. It may lie outside the picture."""
    try:
        row, column = header[group, 0x50].value
        return int(row) - 1, int(column) - 1
    except (KeyError, TypeError, ValueError):
        return 0, 0
