"""State generations: the whole chain as the node dumps it, so that a start need not replay all of it.

The journal stays the truth. A generation only saves time: one that is torn, damaged or not of this journal is
thrown away, one of another version of the node passed over, and an older one, or the journal from its first
block, does as well.
"""

import hashlib
import json
import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from chain.localchain.files import DRAFT, write_whole
from chain.localchain.journal import JournalOffset

KEPT = 3

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Generation:
    """A state saved at a block of the journal: what the node gave (bytes), and its version."""

    place: JournalOffset
    node: str
    state: bytes


class Generations:
    """The folder `path`, one file a generation: a line of JSON that says which, then the state."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(mode=0o700, exist_ok=True)
        for draft in path.glob(f"*{DRAFT}"):
            draft.unlink()

    def save(self, generation: Generation) -> None:
        """Keep it and the newest before it, KEPT in all; OSError when the disk does not take it.

        Those of later blocks stay: another version of the node made them, and this one is on its way there.
        """
        written = asdict(generation.place) | {"node": generation.node}
        written["digest"] = _digest(written, generation.state)
        write_whole(
            self._file(generation.place.number), json.dumps(written).encode() + b"\n", generation.state
        )
        before = [number for number in self._numbers() if number <= generation.place.number]
        for number in before[KEPT:]:
            self.discard(number)

    def newest_first(self, *, node: str, up_to: int) -> Iterator[Generation]:
        """Yield those of this version of the node, at block `up_to` or before; what is damaged goes."""
        for number in self._numbers():
            if number > up_to:
                continue
            generation = self._read(number)
            if generation is None:
                logger.warning("the state of block %s is damaged; an older one will do", number)
                self.discard(number)
            elif generation.node == node:
                yield generation

    def discard_after(self, last: int) -> None:
        """Forget what is of blocks after `last`: the journal was put back to an earlier day."""
        for number in self._numbers():
            if number > last:
                self.discard(number)

    def discard(self, number: int) -> None:
        """Forget the generation of a block."""
        self._file(number).unlink(missing_ok=True)

    def _numbers(self) -> list[int]:
        names = (each.stem for each in self.path.glob("*.state"))
        return sorted((int(name) for name in names if name.isdecimal()), reverse=True)

    def _file(self, number: int) -> Path:
        return self.path / f"{number}.state"

    def _read(self, number: int) -> Generation | None:
        """Return the generation of a block.

        None for a file that is not what was written, or cannot be read.
        """
        try:
            with self._file(number).open("rb") as file:
                line, state = file.readline(), file.read()
            written: dict[str, Any] = json.loads(line)
            digest, node = written.pop("digest"), written["node"]
            place = JournalOffset(written["number"], written["hash"], written["offset"])
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return None
        if digest != _digest(written, state) or place.number != number:
            return None
        return Generation(place, node, state)


def _digest(written: dict[str, Any], state: bytes) -> str:
    """SHA-256 over which it is and what it holds, in hex."""
    digest = hashlib.sha256(json.dumps(written, sort_keys=True).encode())
    digest.update(state)
    return digest.hexdigest()
