"""The journal: one line of JSON per block, safe on the disk before the next block is mined."""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from chain.localchain.errors import JournalBroken


@dataclass(frozen=True)
class Block:
    """What makes a block again: number, unix time (seconds), raw transactions; and the hash to expect."""

    number: int
    timestamp: int
    hash: str
    transactions: tuple[str, ...]


class Journal:
    """An append-only file of blocks, from number 1 on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch(mode=0o600)

    def mend(self) -> None:
        """Cut off a last line that a crash left half written; its block was never built upon."""
        with self.path.open("r+b") as file:
            size = file.seek(0, os.SEEK_END)
            keep = size
            while keep and not self._ends_line(file.fileno(), keep):
                keep -= 1
            if keep < size:
                file.truncate(keep)
                os.fsync(file.fileno())

    def blocks(self) -> Iterator[Block]:
        """Every block, in order. Raises JournalBroken at a line that is not the next block."""
        with self.path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                try:
                    fields = json.loads(line)
                    fields["transactions"] = tuple(fields["transactions"])
                    block = Block(**fields)
                except (ValueError, TypeError, KeyError) as error:
                    raise JournalBroken(f"{self.path} is damaged at line {number}") from error
                if block.number != number:
                    raise JournalBroken(f"{self.path}: line {number} holds block {block.number}")
                yield block

    def append(self, block: Block) -> None:
        """Write the next block, and return only when it is on the disk."""
        line = json.dumps(asdict(block), separators=(",", ":")).encode() + b"\n"
        with self.path.open("ab", buffering=0) as file:
            if file.write(line) != len(line):
                raise OSError(f"{self.path}: a block was only half written; the disk may be full")
            os.fsync(file.fileno())

    @staticmethod
    def _ends_line(file: int, end: int) -> bool:
        return os.pread(file, 1, end - 1) == b"\n"
