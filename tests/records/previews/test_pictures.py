"""Pictures that no browser shows everywhere: pages of them as PNG."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from records.previews.errors import CannotShow, NoSuchFrame
from records.previews.kinds import HEAD_BYTES, Kind, look_at
from tests.records.previews.asking import Asking

HEIC = (Path(__file__).parent / "photograph.heic").read_bytes()
"""64 by 64 pixels, half of them blue, half red; then the same size all green. HEVC, by libheif and x265."""


def tiff() -> bytes:
    out = io.BytesIO()
    first = Image.new("RGB", (64, 64), "red")
    first.paste("blue", (0, 0, 32, 64))
    first.save(out, "TIFF", save_all=True, append_images=[Image.new("RGB", (64, 64), "green")])
    return out.getvalue()


def near(colour: object, wanted: tuple[int, int, int]) -> bool:
    assert isinstance(colour, tuple)
    return all(abs(one - other) < 4 for one, other in zip(colour, wanted, strict=True))


@pytest.mark.parametrize("data", [HEIC, tiff()], ids=["heic", "tiff"])
def test_each_page_is_a_png(data: bytes) -> None:
    look = look_at(data[:HEAD_BYTES])
    assert look is not None
    assert look.kind is Kind.FRAMES
    asking = Asking(data)
    assert asking.told("measure") == {"width": 64, "height": 64, "frames": 2, "notes": []}
    first, second = (Image.open(io.BytesIO(asking.ask("page", frame=frame))) for frame in (0, 1))
    assert first.format == "PNG"
    assert near(first.getpixel((5, 5)), (0, 0, 255))
    assert near(first.getpixel((60, 60)), (255, 0, 0))
    assert near(second.getpixel((5, 5)), (0, 128, 0))
    with pytest.raises(NoSuchFrame):
        asking.ask("page", frame=2)


@pytest.mark.parametrize(
    ("values", "photometric", "shades"),
    [
        (np.array([[0, 0x8000, 0xFFFF]], "<u2"), 1, [0, 128, 255]),
        (np.array([[0, 0x8000, 0xFFFF]], ">u2"), 1, [0, 128, 255]),
        (np.array([[0, 0x8000, 0xFFFF]], "<u2"), 0, [255, 127, 0]),
        (np.array([[-1000, 0, 1000]], "i4"), 1, [0, 127, 255]),
        (np.array([[0.25, 0.5, 0.75, np.nan, np.inf]], "f4"), 1, [0, 127, 255, 0, 255]),
        (np.array([[7.0, 7.0]], "f4"), 1, [0, 0]),
    ],
)
def test_grey_of_more_than_8_bits(values: Any, photometric: int, shades: list[int]) -> None:
    out = io.BytesIO()
    mode = "I;16B" if values.dtype == ">u2" else None
    image = Image.frombytes(mode, values.shape[::-1], values.tobytes()) if mode else Image.fromarray(values)
    image.save(out, "TIFF")
    data = out.getvalue()
    order: Any = "big" if mode else "little"
    tag = (262).to_bytes(2, order) + (3).to_bytes(2, order) + (1).to_bytes(4, order)
    assert data.count(tag) == 1
    at = data.index(tag) + len(tag)
    data = data[:at] + photometric.to_bytes(2, order) + data[at + 2 :]
    shown = Image.open(io.BytesIO(Asking(data).ask("page", frame=0)))
    assert list(shown.convert("L").tobytes()) == shades


def test_every_cut_of_a_photograph_is_words() -> None:
    for size in range(16, len(HEIC) - 1, 13):
        with pytest.raises(CannotShow):
            Asking(HEIC[:size]).ask("page", frame=1)


def test_a_photograph_that_says_it_is_huge() -> None:
    small, huge = b"ispe" + bytes(4) + (64).to_bytes(4) * 2, b"ispe" + bytes(4) + (60_000).to_bytes(4) * 2
    assert small in HEIC
    with pytest.raises(CannotShow, match="too many pixels"):
        Asking(HEIC.replace(small, huge)).ask("measure")
