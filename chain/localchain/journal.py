"""The journal: one line of JSON per block, safe on the disk before the next block is mined."""

import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from chain.localchain.errors import LineDamaged
from chain.localchain.files import sync_folder

_PIECE = 64 * 1024


@dataclass(frozen=True)
class JournalBlock:
    """What makes a block again: number, unix time (seconds), raw transactions; and the hash to expect."""

    number: int
    timestamp: int
    hash: str
    transactions: tuple[str, ...]


@dataclass(frozen=True)
class JournalOffset:
    """A block's line in the journal: its number, its hash, and where the line begins (bytes)."""

    number: int
    hash: str
    offset: int


class Journal:
    """An append-only file of blocks, from number 1 on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.exists():
            path.touch(mode=0o600)
            sync_folder(path.parent)

    def mend(self) -> None:
        """Cut off a last line that a crash left half written; its block was never built upon."""
        with self.path.open("r+b") as file:
            size = file.seek(0, os.SEEK_END)
            keep = _line_start(file.fileno(), size)
            if keep < size:
                file.truncate(keep)
                os.fsync(file.fileno())

    def blocks(self, after: JournalOffset | None = None) -> Iterator[tuple[JournalOffset, JournalBlock]]:
        """Yield every block in order with its place, or those after a place that this journal holds.

        Raises LineDamaged at a line that is not the next block.
        """
        with self.path.open("rb") as file:
            number, offset = 1, 0
            if after is not None:
                file.seek(after.offset)
                number, offset = after.number + 1, after.offset + len(file.readline())
            for line in file:
                block = self._parse(line, f"line {number}")
                if block.number != number:
                    raise LineDamaged(f"{self.path}: line {number} holds block {block.number}")
                yield JournalOffset(number, block.hash, offset), block
                number, offset = number + 1, offset + len(line)

    def holds(self, place: JournalOffset) -> bool:
        """Return whether that block is at that place."""
        with self.path.open("rb") as file:
            file.seek(place.offset)
            try:
                block = self._parse(file.readline(), f"byte {place.offset}")
            except LineDamaged:
                return False
        return (block.number, block.hash) == (place.number, place.hash)

    def last_number(self) -> int:
        """Return the number of the last block before any damaged line; 0 where there is none."""
        with self.path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            if not size:
                return 0
            file.seek(_line_start(file.fileno(), size - 1))
            with suppress(LineDamaged):
                return self._parse(file.readline(), "its last line").number
        number = 0
        with suppress(LineDamaged):
            for place, _ in self.blocks():
                number = place.number
        return number

    def append(self, block: JournalBlock) -> JournalOffset:
        """Write the next block, and return its place only when it is on the disk."""
        line = json.dumps(asdict(block), separators=(",", ":")).encode() + b"\n"
        with self.path.open("ab", buffering=0) as file:
            offset = file.tell()
            if file.write(line) != len(line):
                raise OSError(f"{self.path}: a block was only half written; the disk may be full")
            os.fsync(file.fileno())
        return JournalOffset(block.number, block.hash, offset)

    def set_aside(self, after: JournalOffset) -> Path:
        """Move every line after a block into a file of its own, which is returned."""
        with self.path.open("r+b") as file:
            file.seek(after.offset)
            end = after.offset + len(file.readline())
            tail = self.path.with_name(f"{self.path.stem}-after-{after.number}-{time.time_ns()}.jsonl")
            with tail.open("xb") as copy:
                shutil.copyfileobj(file, copy)
                copy.flush()
                os.fsync(copy.fileno())
            sync_folder(self.path.parent)
            file.truncate(end)
            os.fsync(file.fileno())
        return tail

    def _parse(self, line: bytes, where: str) -> JournalBlock:
        try:
            fields = json.loads(line)
            fields["transactions"] = tuple(fields["transactions"])
            return JournalBlock(**fields)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise LineDamaged(f"{self.path} is damaged at {where}") from error


def _line_start(file: int, end: int) -> int:
    """Return where the line begins that holds the byte before `end`, or `end` itself after a line feed."""
    while end:
        start = max(0, end - _PIECE)
        newline = os.pread(file, end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0
