"""Questions to the decoder about bytes at hand; and which parts of them it read."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydicom.data import get_testdata_file

from records.previews.sandbox import decoder


def dicom_file(name: str) -> bytes:
    """One of pydicom's own test files."""
    return Path(str(get_testdata_file(name))).read_bytes()


@dataclass
class Asking:
    """A file, and what was read of it."""

    data: bytes
    reads: list[tuple[int, int]] = field(default_factory=list)

    def read_at(self, offset: int, length: int) -> Iterator[bytes]:
        """As the store gives it: in pieces."""
        self.reads.append((offset, length))
        part = self.data[offset : offset + length]
        yield from (part[at : at + 65536] for at in range(0, len(part), 65536))

    def ask(self, what: str, **more: Any) -> bytes:
        """The decoder's answer."""
        return decoder.ask(what, size=len(self.data), read_at=self.read_at, **more)

    def told(self, what: str) -> dict[str, Any]:
        """The decoder's answer, where it is words and numbers."""
        found: dict[str, Any] = json.loads(self.ask(what))
        return found
