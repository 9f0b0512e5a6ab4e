"""Windows: which part of the grey values is shown from black to white (PS3.3, C.11.2.1.2 and C.11.2.1.3)."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from pydicom.dataset import Dataset

PRESETS_MAX = 20


class Window(NamedTuple):
    """The middle of what is shown, and how wide it is, in the modality's units (Hounsfield, say)."""

    centre: float
    width: float


def presets(settings: Dataset) -> list[tuple[str, Window]]:
    """The file's own windows, with their names."""
    centres, widths = _numbers(settings.get("WindowCenter")), _numbers(settings.get("WindowWidth"))
    names = _list(settings.get("WindowCenterWidthExplanation"))
    found = []
    for number, (centre, width) in enumerate(zip(centres, widths, strict=False)):
        name = str(names[number])[:40] if number < len(names) and names[number] else f"Window {number + 1}"
        if width > 0:
            found.append((name, Window(centre, width)))
    return found[:PRESETS_MAX]


def whole(low: float, high: float) -> Window:
    """From the least value to the greatest."""
    return Window((low + high) / 2, (high - low) or 1.0)


def to_8_bits(values: "np.ndarray[Any, Any]", window: Window, function: str) -> "np.ndarray[Any, Any]":
    """Shades 0 to 255 by the standard's function LINEAR, LINEAR_EXACT or SIGMOID. Others count as LINEAR."""
    centre, width = window
    x = values.astype(np.float32)
    if function == "SIGMOID":
        y = 1 / (1 + np.exp((-4 * (x - centre) / max(width, 1e-6)).clip(-80, 80)))
    elif function == "LINEAR_EXACT" or width <= 1:  # LINEAR has no width under 1; doses come in fractions
        y = (x - centre) / max(width, 1e-6) + 0.5
    else:
        y = (x - (centre - 0.5)) / max(width - 1, 1e-6) + 0.5
    shades: np.ndarray[Any, Any] = (y * 255).clip(0, 255).round().astype(np.uint8)
    return shades


def _list(value: object) -> Sequence[Any]:
    if value is None or value == "":
        return []
    return value if isinstance(value, Sequence) and not isinstance(value, str) else [value]


def _numbers(value: object) -> list[float]:
    found = []
    for one in _list(value):
        try:
            number = float(one)
        except (TypeError, ValueError):
            return []
        if not np.isfinite(number):
            return []
        found.append(number)
    return found
