"""DICOM (PS3.3, PS3.5, PS3.10) by pydicom: a frame as PNG, and what the file says. For the decoder's process.

A frame is read and decoded alone. Grey values go through the modality's table or rescaling (C.11.1), then
through a window or the file's own table (C.11.2), to 8 bits. Palettes and YBR become RGB.
"""

from typing import Any, BinaryIO

import numpy as np
from PIL import Image
from pydicom import config, dcmread
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi

from records.previews.dicom_frames import Frames, open_frames
from records.previews.dicom_overlays import draw_overlays, has_overlay, overlay_notes
from records.previews.dicom_report import is_report, kind_words, report_notes, report_text
from records.previews.dicom_tags import tag_rows
from records.previews.dicom_window import Window, presets, to_8_bits, whole
from records.previews.errors import CannotShow, NoSuchFrame
from records.previews.pictures import DAMAGED, FRAMES_MAX, TOO_LARGE, as_png

FRAME_SETTINGS = ("PixelValueTransformationSequence", "FrameVOILUTSequence", "PixelMeasuresSequence")
"""The sequences of an enhanced file that stand for what a plain one says for all frames."""
TABLE_ENTRIES_MAX = 2**17
SQUARE = 0.01
"""How far from square a pixel may be before the picture is stretched."""

config.settings.reading_validation_mode = config.IGNORE

Array = np.ndarray[Any, Any]


def describe(file: BinaryIO) -> dict[str, Any]:
    """Describe a picture for its page, with `error` where there is none. Raises CannotShow.

    `window` is (centre, width) to begin with, None for colours and where the file has a table of its own.
    `low` and `high` bound the values of the first frame. `varies`: each frame has a window of its own.
    `report` is the text of a structured report, `inner` whether there is a file inside, `notes` are words.
    """
    header = _header(file)
    found: dict[str, Any] = {
        "tags": tag_rows(header),
        "frames": 0,
        "window": None,
        "presets": [],
        "error": "",
        "notes": [],
    }
    if "Rows" not in header or "Columns" not in header:
        return found | _without_picture(header)
    try:
        pixels = open_frames(file, header)
        values, settings = pixels.read(0), _settings(header, 0)
    except CannotShow as error:
        return found | {"error": str(error)}
    except MemoryError:
        return found | {"error": TOO_LARGE}
    except Exception:  # every codec raises its own; the tags are shown all the same
        return found | {"error": DAMAGED}
    found |= {
        "frames": min(pixels.count, FRAMES_MAX),
        "width": int(header.Columns),
        "height": int(header.Rows),
        "overlay": has_overlay(header),
        "notes": [*_frame_notes(pixels), *overlay_notes(header)],
    }
    return found | _window_of(values, settings, header) if _is_grey(header) else found


def render(file: BinaryIO, frame: int, window: tuple[float, float] | None, *, overlay: bool = True) -> bytes:
    """A frame, from 0, as PNG. With the file's own window or table where none is given.

    Raises CannotShow, NoSuchFrame.
    """
    header = _header(file)
    pixels = open_frames(file, header)
    if not 0 <= frame < min(pixels.count, FRAMES_MAX):
        raise NoSuchFrame("There is no such frame.")
    stored, settings = pixels.read(frame), _settings(header, frame)
    shades = _shades(stored, settings, window) if _is_grey(header) else _colours(stored, header)
    if overlay:
        shades = draw_overlays(shades, header, frame)
    return as_png(_stretched(Image.fromarray(shades), settings))


def _without_picture(header: Dataset) -> dict[str, Any]:
    """Describe a file that holds no picture: a file inside, a report, or its kind."""
    if "EncapsulatedDocument" in header:
        return {"inner": True, "notes": [f"This DICOM file is {kind_words(header)}: it holds a file."]}
    if is_report(header):
        notes = [f"This DICOM file is {kind_words(header)}: it holds a report.", *report_notes(header)]
        return {"report": report_text(header), "notes": notes}
    return {"error": f"This DICOM file is {kind_words(header)}. It holds no picture."}


def _frame_notes(pixels: Frames) -> list[str]:
    """Return notes on the frames: other than the file claims, or too many."""
    notes = []
    if pixels.claimed and pixels.claimed != pixels.count:
        notes.append(f"The file says that it has {pixels.claimed:,} frames. It has {pixels.count:,}.")
    if pixels.count > FRAMES_MAX:
        notes.append(f"The first {FRAMES_MAX:,} of {pixels.count:,} frames are shown.")
    return notes


def _window_of(values: Array, settings: Dataset, header: Dataset) -> dict[str, Any]:
    low, high = _bounds(values, settings)
    named = presets(settings)
    table = bool(settings.get("VOILUTSequence")) and not named
    return {
        "presets": [(name, one.centre, one.width) for name, one in named],
        "window": None if table else [*(named[0][1] if named else whole(low, high))],
        "low": low,
        "high": high,
        "varies": _varies(header),
    }


def _varies(header: Dataset) -> bool:
    """Return whether the frames of an enhanced file have other windows."""
    windows = set()
    for group in list(header.get("PerFrameFunctionalGroupsSequence") or [])[:FRAMES_MAX]:
        for item in list(group.get("FrameVOILUTSequence") or [])[:1]:
            windows.add((str(item.get("WindowCenter")), str(item.get("WindowWidth"))))
    return len(windows) > 1


def _header(file: BinaryIO) -> Dataset:
    file.seek(0)
    try:
        return dcmread(file, stop_before_pixels=True)
    except MemoryError:
        raise
    except Exception as error:  # pydicom raises what the broken part happens to raise
        raise CannotShow("This DICOM file is damaged. Save the file to look at it.") from error


def _is_grey(header: Dataset) -> bool:
    return str(header.get("PhotometricInterpretation", "")) in ("MONOCHROME1", "MONOCHROME2")


def _settings(header: Dataset, frame: int) -> Dataset:
    """The header. What an enhanced file says for all frames, or this one, stands where a plain one has it."""
    settings = Dataset(dict(header.items()))  # Dataset(header) would share its elements
    settings.file_meta = header.file_meta
    settings.set_original_encoding(*header.original_encoding)
    groups = list(header.get("SharedFunctionalGroupsSequence") or [])[:1]
    groups += list(header.get("PerFrameFunctionalGroupsSequence") or [])[frame : frame + 1]
    for group in groups:
        for name in FRAME_SETTINGS:
            for item in list(group.get(name) or [])[:1]:
                settings.update(item)
    return settings


def _shades(stored: Array, settings: Dataset, window: tuple[float, float] | None) -> Array:
    """8-bit grey. Where the values are few, a table of their shades is made once and looked up."""
    if stored.dtype.kind in "iu":
        low, high = int(stored.min()), int(stored.max())
        if high - low < min(TABLE_ENTRIES_MAX, stored.size):
            shades = _shade(np.arange(low, high + 1, dtype=np.int32), settings, window)
            return shades[stored.astype(np.int32, copy=False) - low]
    return _shade(stored, settings, window)


def _shade(stored: Array, settings: Dataset, window: tuple[float, float] | None) -> Array:
    values = apply_modality_lut(stored, settings)
    named = presets(settings)
    shades: Array
    if window is None and not named and settings.get("VOILUTSequence"):
        table = apply_voi(values.astype(np.int32), settings)
        bits = int(settings.VOILUTSequence[0].LUTDescriptor[2])
        shades = (table.astype(np.float32) * (255 / (2**bits - 1))).clip(0, 255).astype(np.uint8)
    else:
        full = whole(float(values.min()), float(values.max()))
        chosen = Window(*window) if window else named[0][1] if named else full
        shades = to_8_bits(values, chosen, str(settings.get("VOILUTFunction") or "LINEAR"))
    inverse = settings.PhotometricInterpretation == "MONOCHROME1"
    if inverse or settings.get("PresentationLUTShape") == "INVERSE":
        np.invert(shades, out=shades)
    return shades


def _bounds(stored: Array, settings: Dataset) -> tuple[float, float]:
    """The least and the greatest value, padding left out."""
    padding = settings.get("PixelPaddingValue")
    within = stored[stored != padding] if isinstance(padding, int) else stored
    ends = (within if within.size else stored).min(), (within if within.size else stored).max()
    both = apply_modality_lut(np.asarray(ends), settings)
    return float(both.min()), float(both.max())


def _colours(stored: Array, header: Dataset) -> Array:
    """8-bit RGB."""
    if header.PhotometricInterpretation == "PALETTE COLOR":
        stored = apply_color_lut(stored, header)
        return (stored >> 8).astype(np.uint8) if stored.dtype == np.uint16 else stored
    spare = int(header.get("BitsStored") or 8) - 8
    return (stored >> spare).astype(np.uint8) if spare > 0 else stored.astype(np.uint8)


def _stretched(image: Image.Image, settings: Dataset) -> Image.Image:
    """With pixels as high as they are wide: what is round is shown round."""
    names = ("PixelAspectRatio", "PixelSpacing", "ImagerPixelSpacing")
    spacing: Any = next(filter(None, map(settings.get, names)), None)
    try:
        ratio = float(spacing[0]) / float(spacing[1])
    except (TypeError, ValueError, ZeroDivisionError, IndexError):
        return image
    if abs(ratio - 1) < SQUARE or not 0.1 < ratio < 10:
        return image
    return image.resize((image.width, max(round(image.height * ratio), 1)))
