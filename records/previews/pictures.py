"""Pictures by Pillow: how large one is, a page of a TIFF or HEIF as PNG. Runs in the decoder's process."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np
from pi_heif import register_heif_opener
from PIL import Image, UnidentifiedImageError
from PIL.Image import DecompressionBombError, DecompressionBombWarning

from records.previews.errors import CannotShow, NoSuchFrame

PIXELS_MAX = 80_000_000
"""Pixels of one picture: 4 bytes each in a browser."""
SIDE_MAX = 4096
"""The longest side of a PNG made here; larger pictures are shown smaller."""
FRAMES_MAX = 10_000
TOO_LARGE = "This picture has too many pixels to be shown here. Save the file to look at it."
DAMAGED = "This picture is damaged, or of a kind that cannot be shown here. Save the file to look at it."
PAGED = ("TIFF", "HEIF")
PHOTOMETRIC = 262  # a tag of TIFF
FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "AVIF", *PAGED)

Image.MAX_IMAGE_PIXELS = PIXELS_MAX
register_heif_opener(thumbnails=False, decode_threads=1)


def measure(file: BinaryIO) -> dict[str, object]:
    """Width, height and frames. Raises CannotShow."""
    with _opened(file) as image:
        frames = getattr(image, "n_frames", 1) if image.format in PAGED else 1
        more = [f"The first {FRAMES_MAX:,} of {frames:,} pages are shown."] if frames > FRAMES_MAX else []
        count = min(frames, FRAMES_MAX)
        return {"width": image.width, "height": image.height, "frames": count, "notes": more}


def render_page(file: BinaryIO, frame: int) -> bytes:
    """One page, from 0, as PNG. Raises CannotShow, NoSuchFrame."""
    with _opened(file) as image:
        try:
            image.seek(frame)
        except EOFError as error:
            raise NoSuchFrame("There is no such page.") from error
        _check(image)
        return as_png(image if image.mode in ("1", "L", "RGB") else _flattened(image))


def as_png(image: Image.Image) -> bytes:
    """PNG, quickly made, no side longer than SIDE_MAX."""
    if max(image.size) > SIDE_MAX:
        image = image.convert("L") if image.mode == "1" else image
        image.thumbnail((SIDE_MAX, SIDE_MAX))
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=1)
    return out.getvalue()


@contextmanager
def _opened(file: BinaryIO) -> Iterator[Image.Image]:
    """The picture, its size checked before a pixel is decoded. Whatever goes wrong becomes words."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", DecompressionBombWarning)
            with Image.open(file, formats=FORMATS) as image:
                _check(image)
                yield image
    except (DecompressionBombError, DecompressionBombWarning) as error:
        raise CannotShow(TOO_LARGE) from error
    except UnidentifiedImageError as error:
        raise CannotShow(DAMAGED) from error


def _check(image: Image.Image) -> None:
    if image.width * image.height > PIXELS_MAX:
        raise CannotShow(TOO_LARGE)


def _flattened(image: Image.Image) -> Image.Image:
    """8 bits a channel. What is transparent is white."""
    if image.mode[0] in "IF":
        return _grey(image)
    if "A" in image.mode or "transparency" in image.info:
        over = image.convert("RGBA")
        white = Image.new("RGBA", over.size, "white")
        white.alpha_composite(over)
        return white.convert("RGB")
    return image.convert("RGB")


def _grey(image: Image.Image) -> Image.Image:
    """Grey of more than 8 bits: of 16 the upper byte, else from the least value to the greatest."""
    values = np.asarray(image)
    if image.mode.startswith("I;16"):
        shades = (values >> 8).astype(np.uint8)
        white_is_zero = getattr(image, "tag_v2", {}).get(PHOTOMETRIC) == 0  # Pillow inverts 8 bits alone
        return Image.fromarray(~shades if white_is_zero else shades)
    values = values.astype(np.float32)
    known = values[np.isfinite(values)]
    low, high = (known.min(), known.max()) if known.size else (0, 0)
    scaled = (values - low) * (255 / ((high - low) or 1))
    return Image.fromarray(np.nan_to_num(scaled).clip(0, 255).astype(np.uint8))
