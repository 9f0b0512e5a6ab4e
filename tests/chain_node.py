"""A real node with the real contract, one per test process.

Tests keep apart by fresh addresses, not by `evm_revert`: to an indexer that is a reorganisation.
"""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from math import ceil
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from chain.acts.messages import ZERO_ADDRESS, prepare_act, sign_act
from chain.indexer.run import run_indexer
from chain.keys import portal_keys
from chain.keys.ecdsa import address_of_key
from chain.localchain import Anvil
from chain.models import Act, Block, Cursor
from chain.node import client, deployment, identity, rpc
from chain.operations.deploy import put_contract, send_and_wait
from chain.outbox.submit import next_number, submit_act
from chain.relayer.sender import run_relayer

# The first account of anvil's mnemonic: known to everybody, rich on a test chain only.
FUNDER = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
CHAIN_ID = 33_117
_MINED_WITHIN = 2.0  # seconds


@dataclass(frozen=True)
class Person:
    """A fresh account and its signing key."""

    address: str
    key: bytes

    def prepare(self, kind: str, **fields: Any) -> Any:
        """An act by this account."""
        return prepare_act(kind, author=self.address, **fields)

    def submit(self, kind: str, **fields: Any) -> Act:
        """Sign an act by this account and accept it into the outbox."""
        return submit_act(sign_act(self.prepare(kind, **fields), self.key))


def fresh_person() -> Person:
    """An account nobody has seen."""
    key = secrets.token_bytes(32)
    return Person(address_of_key(key), key)


def state_of(act: Act) -> str:
    """An act's state now."""
    act.refresh_from_db()
    return act.state


@cache
def _node() -> Anvil:
    return Anvil(chain_id=CHAIN_ID)


class ChainNode:
    """The node, its contract, and the workers' hands: nothing is sent or read unless a test says so."""

    def __init__(self, node: Anvil) -> None:
        self.node = node

    @property
    def url(self) -> str:
        """Return the node's address."""
        return self.node.url

    def rpc(self, method: str, *params: Any) -> Any:
        """One JSON-RPC call."""
        return rpc.request(method, *params)

    def mine(self, count: int = 1) -> None:
        """Mine empty blocks (or what waits in the pool)."""
        self.rpc("anvil_mine", hex(count))

    def relay(self) -> None:
        """Run the relayer's task. The node mines as much as it can before this returns.

        anvil answers a broadcast before it mines: who asked for the head at once would miss the block.
        """
        run_relayer()
        deadline = time.monotonic() + _MINED_WITHIN
        node = self.node.rpc  # not settings.CHAIN_RPC_URL: a test may point that elsewhere
        while node.call("anvil_getAutomine") and int(node.call("txpool_status")["pending"], 16):
            if time.monotonic() > deadline:
                return  # an offer below the network's price stays in the pool
            time.sleep(0.005)

    def set_clock(self) -> None:
        """Have the next blocks say what time it is, rounded up.

        After a reorganisation anvil's clock stays behind by the age of the last block kept, for ever: what is
        granted from now on would not be in force on the chain yet. Nor would it be where the clock is behind
        by a part of a second.
        """
        if client.head().time < timezone.now():
            self.rpc("evm_setTime", hex(ceil(time.time())))

    def sync(self) -> None:
        """Run the indexer's task."""
        run_indexer()

    def settle(self) -> None:
        """Send what waits, mine, read, until every act of the outbox that can be settled is."""
        for _ in range(12):
            self.relay()
            self.mine(settings.CHAIN_CONFIRMATIONS)
            self.sync()
            if not Act.objects.waiting().exists():
                break
            Act.objects.waiting().update(retry_tick=None)  # what is put off by seconds is due at once
        self.relay()

    def admit(self, institution: str, *, admitted: bool = True) -> Act:
        """Admit an institution by the portal's admission key."""
        key = portal_keys.admission_key()
        serial = next_number(f"institution:{institution}")
        fields = {"institution": institution, "admitted": admitted, "serial": serial}
        return submit_act(
            sign_act(prepare_act("AdmitInstitution", author=address_of_key(key), **fields), key)
        )

    def affiliate(self, institution: Person, doctor: str, *, affiliated: bool = True) -> Act:
        """Affiliate a doctor with an institution."""
        serial = next_number(f"affiliation:{institution.address}:{doctor}")
        return institution.submit("AffiliateDoctor", doctor=doctor, affiliated=affiliated, serial=serial)

    def new_record(
        self, author: Person, *, patient: str | None = None, folder: int = 1, **fields: Any
    ) -> Act:
        """A record in a folder, of random digests."""
        values = {
            "patient": patient or author.address,
            "via": ZERO_ADDRESS,
            "folder": folder,
            "epoch": 0,
            "flags": 0,
            "nonce": secrets.token_bytes(32),
            "content": secrets.token_bytes(32),
            "description": secrets.token_bytes(32),
            "secret": secrets.token_bytes(32 if folder == 0 else 40),
        }
        return author.submit("NewRecord", **(values | fields))

    def fund(self, address: str, ether: int = 100) -> None:
        """Money for gas."""
        send_and_wait(FUNDER, address, value=ether * 10**18)


@cache
def _deployed_node(var: str) -> ChainNode:
    """The process's node, with keys and contract.json in the tests' VAR."""
    del var
    return _deploy_on(_node())


def _deploy_on(anvil: Anvil) -> ChainNode:
    settings.CHAIN_RPC_URL = anvil.url
    for name in portal_keys.NAMES:
        portal_keys.make_key(name)
    node = ChainNode(anvil)
    node.fund(address_of_key(portal_keys.relayer_keys()[0]), ether=1_000)
    remember(put_contract(identity.chain_id())[0])
    return node


def remember(deployed: deployment.Deployment) -> None:
    """Have this process know its contract without a row in the database: a test's rows go with its end."""
    deployment.write_deployment(deployed)
    place = deployment._place()
    deployment._kept[(*place[:-1], "")] = (
        deployment.Tenure(deployed),
    )  # whatever a test sets: it is taken back after this


@contextmanager
def own_chain(var: Path) -> Iterator[ChainNode]:
    """Another node with a contract, and keys in `var`, while the `with` lasts: to read all of a chain."""
    former = settings.VAR, settings.CHAIN_RPC_URL
    settings.VAR = var
    try:
        with Anvil(chain_id=CHAIN_ID + 1) as anvil:
            yield _deploy_on(anvil)
    finally:
        settings.VAR, settings.CHAIN_RPC_URL = former


@pytest.fixture(scope="session")
def chain_node(django_db_setup: None) -> Iterator[ChainNode]:
    """The node with the contract; for tests that need no database."""
    del django_db_setup  # what is remembered is remembered of the tests' database
    yield _deployed_node(str(settings.VAR))
    deployment.deployment_path().unlink(missing_ok=True)
    _node().stop()


@pytest.fixture
def chain(chain_node: ChainNode, db: None) -> ChainNode:
    """The node with the contract, read from its present head on."""
    del db
    chain_node.set_clock()
    read_from_head()
    return chain_node


def read_from_head() -> None:
    """Let the indexer begin at the chain's present head."""
    head = client.head()
    Block.objects.create(number=head.number, hash=head.hash, time=head.time)
    Cursor.objects.create(name="events", seen=head.number, applied=head.number, head=head.number)
