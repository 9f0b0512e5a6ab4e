"""Which chain this is: chosen at random once, kept beside the journal."""

import json
import secrets
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from chain.localchain.errors import JournalBroken
from chain.localchain.files import write_whole


@dataclass(frozen=True)
class Identity:
    """What the genesis block is made of; a replay needs the same."""

    chain_id: int
    genesis_time: int
    gas_limit: int


def load_identity(path: Path, *, gas_limit: int) -> Identity:
    """The identity kept at `path`; made there at the first start, with blocks of `gas_limit` gas.

    The chain id is random (30 bits, within what every wallet takes), so that an act signed on one developer's
    chain means nothing on another's.
    """
    if path.exists():
        try:
            return Identity(**json.loads(path.read_bytes()))
        except (ValueError, TypeError) as error:
            raise JournalBroken(f"{path} is damaged") from error
    made = Identity(
        chain_id=2**30 + secrets.randbelow(2**30), genesis_time=int(time.time()), gas_limit=gas_limit
    )
    write_whole(path, json.dumps(asdict(made)).encode())
    return made
