"""Which chain this is, and who has its money: chosen at random once, kept beside the journal."""

import json
import secrets
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from chain.keys.ecdsa import address_of_key, keys_of_phrase
from chain.keys.secret_files import write_once
from chain.localchain.errors import JournalBroken
from chain.localchain.files import write_whole

FUNDER_KEY = "funder.key"
PUBLISHED_PHRASE = (
    "test test test test test test test test test test test junk"  # anvil's and hardhat's default
)
_FUNDER_WEI = 10**27


@dataclass(frozen=True)
class Identity:
    """What the genesis block is made of. A replay needs the same.

    `funder` is the one address that has money from the start. It is empty for chains of before: there the ten
    accounts of anvil's published mnemonic have it, until `deploy_contract --fund` takes it from them.
    """

    chain_id: int
    genesis_time: int
    gas_limit: int
    funder: str = ""

    def node_options(self, folder: Path) -> tuple[str, ...]:
        """Return anvil's options for this genesis block. Writes `genesis.json` into the folder."""
        options = ("--no-mining", "--order", "fifo", "--timestamp", str(self.genesis_time))
        if not self.funder:
            return options
        genesis = folder / "genesis.json"
        write_whole(genesis, json.dumps(self._genesis()).encode())
        return (*options, "--accounts", "0", "--init", str(genesis))

    def _genesis(self) -> dict[str, object]:
        return {
            "config": {"chainId": self.chain_id},
            "timestamp": hex(self.genesis_time),
            "gasLimit": hex(self.gas_limit),
            "difficulty": "0x0",
            "alloc": {self.funder: {"balance": hex(_FUNDER_WEI)}},
        }


def load_identity(path: Path, *, gas_limit: int) -> Identity:
    """Return the identity kept at `path`; made there at the first start, with blocks of `gas_limit` gas.

    The chain id is random (30 bits, within what every wallet takes), so that an act signed on one developer's
    chain means nothing on another's.
    """
    if path.exists():
        try:
            return Identity(**json.loads(path.read_bytes()))
        except (ValueError, TypeError, RecursionError) as error:
            raise JournalBroken(f"{path} is damaged") from error
    identity = Identity(
        chain_id=2**30 + secrets.randbelow(2**30),
        genesis_time=int(time.time()),
        gas_limit=gas_limit,
        funder=address_of_key(make_funder_key(path.parent)),
    )
    write_whole(path, json.dumps(asdict(identity)).encode())
    return identity


def make_funder_key(folder: Path) -> bytes:
    """Return the key that has the local chain's money, 32 bytes; made in the chain's folder if need be."""
    path = folder / FUNDER_KEY
    write_once(path, "0x" + secrets.token_bytes(32).hex() + "\n")
    try:
        return bytes.fromhex(path.read_text().strip().removeprefix("0x"))
    except ValueError as error:
        raise JournalBroken(f"{path} is damaged") from error


def published_keys() -> list[bytes]:
    """Return the keys of the ten accounts that have the money on a chain made before there was a funder."""
    return keys_of_phrase(PUBLISHED_PHRASE, 10)
