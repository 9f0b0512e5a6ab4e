"""Parts of a scenario that starts whole portals itself, instead of a World."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random


@dataclass
class Stage:
    """A folder and a seed. The scenario adds what it found.

    `healed`: seconds after each fault until all was well. `acts`: how many acts in each state at the end.
    """

    folder: Path
    seed: int
    healed: list[float] = field(default_factory=list)
    acts: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    random: Random = field(init=False)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)

    @contextmanager
    def healing(self) -> Iterator[None]:
        """Time how long it takes until all is well again: the `with` waits for that."""
        begun = time.monotonic()
        yield
        self.healed.append(time.monotonic() - begun)

    def expect(self, what: str, holds: bool) -> None:
        """Note a problem unless this holds."""
        if not holds:
            self.problems.append(what)


StagedScenario = Callable[[Stage, int], None]
