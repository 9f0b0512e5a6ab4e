"""A successor takes a contract's place: the words of its storage are copied, then it opens, once.

Nobody can stop the predecessor. It is frozen for the portals: after a last block its events do not count.
That block stands in the successor, where every portal and every reader finds it. Nobody needs to trust the
portal that copied: each copied word is in a log, and a portal that joins compares all with the predecessor's.
"""

import time
from collections.abc import Callable, Iterator

from eth_abi.abi import decode
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from chain.contract.abi import code_matches, constructor_data, encode_call, successor_artifact
from chain.contract.refusals import Refusal
from chain.contract.storage import ROLE_GRANTED, role_slot, slots_of
from chain.errors import ChainError, RpcRefused
from chain.indexer.run import reindex_from, run_indexer
from chain.keys import portal_keys
from chain.keys.ecdsa import address_of_key
from chain.models import Act, ActState, Cursor, Event, Transaction
from chain.models.sending import TransactionState
from chain.node import client, identity
from chain.node.deployment import Deployment, deployment, first_block, note_successor, write_deployment
from chain.operations.deploy import FACTORY, SALT, check_node, contract_address, send_and_wait
from chain.outbox.settle import refuse_act

Say = Callable[[str], None]
_LOADED = "0x" + keccak(text="Loaded(uint256[])").hex()
_WORDS_A_TRANSACTION = 400  # some 23,000 gas each
_GAS = 12_000_000
_READ_WITHIN = 300.0  # seconds
_FORMER = Refusal("FormerContract", "It was signed for the contract that was in use before.")


def succeed(say: Say) -> Deployment:
    """Deploy the successor of the contract in use, copy its state, open it, and go over to it.

    Killed at any moment, it goes on when run again. Raises ChainError, and then the portal is as it was.
    """
    old = deployment()
    check_node(old)
    _check_idle()
    _read_all()
    address = _put(old)
    say(f"The successor is {address}.")
    _, last_block = identity.predecessor_of(address)
    if not last_block:
        last_block = _load(old, address, say)
        _send(address, encode_call("open", last_block))
    return join(address, say)


def join(address: str, say: Say) -> Deployment:
    """Go over to an open successor, after comparing every word that it was given. Raises ChainError."""
    old = deployment()
    check_node(old)
    try:
        before, last_block = identity.predecessor_of(address)
    except RpcRefused:  # it is a first contract
        before, last_block = "", 0
    if before != old.address or not last_block or not code_matches(client.code(address)):
        raise ChainError(f"{address} is no open successor of {old.address}.")
    if identity.origin_of(address) != (old.origin_chain, old.origin_contract):
        raise ChainError(f"{address} is of another origin than {old.address}: no key would open anything.")
    _read_all(last_block)
    _compare(old, address, last_block)
    successor = Deployment(old.chain_id, address, old.origin_chain, old.origin_contract, last_block + 1)
    note_successor(successor, last_block)
    write_deployment(successor)
    if Cursor.objects.filter(seen__gt=last_block).exists():
        reindex_from(last_block + 1)
    for act in Act.objects.waiting():
        refuse_act(act, ActState.RETURNED, _FORMER)
    say(f"In use from block {last_block + 1} on. {old.address} counts up to block {last_block}.")
    return successor


def _check_idle() -> None:
    """Refuse what is under way: it was signed for, or sent to, the contract that is in use."""
    under_way = Transaction.objects.filter(state__in=(TransactionState.SENDING, TransactionState.MINED))
    waiting = Act.objects.waiting().count() or under_way.count()
    if waiting:
        raise ChainError(
            f"{waiting} acts or transactions are under way. Start the portal, wait until the Operations page "
            "has none, stop it, and run this again."
        )


def _read_all(until: int | None = None) -> None:
    """Read the chain to a block, or to its head, until all events there are applied."""
    deadline = time.monotonic() + _READ_WITHIN
    while True:
        run_indexer()
        cursor = Cursor.objects.get()
        last_block = client.head().number if until is None else until
        pending = Event.objects.pending().filter(block_number__lte=last_block).exists()
        if cursor.seen >= last_block and not pending:
            return
        if time.monotonic() > deadline:
            raise ChainError(
                f"The chain was not read to block {last_block}: {cursor.error or 'events wait'}."
            )
        time.sleep(0.5)


def _put(old: Deployment) -> str:
    """Deploy the successor, unless it is there; its address follows from what it is made with."""
    roles = [next(iter(_holders(old, role)), _admin_of(old)) for role in ("ADMISSION_ROLE", "ANCHOR_ROLE")]
    loader = address_of_key(portal_keys.relayer_keys()[0])
    origin = (old.origin_chain, old.origin_contract)
    code = constructor_data(_admin_of(old), *roles, *origin, old.address, loader, build=successor_artifact())
    address = contract_address(code)
    if not client.code(address):
        send_and_wait(portal_keys.relayer_keys()[0], FACTORY, SALT + code, gas=_GAS)
    if not code_matches(client.code(address)):
        raise ChainError(f"The code at {address} is not the successor's.")
    return address


def _load(old: Deployment, address: str, say: Say) -> int:
    """Copy until the predecessor has stood still from before the copying to after it; its last block."""
    while True:
        seen = Cursor.objects.values_list("seen", flat=True).get()
        expected = _words_of(old)
        actual = client.words(address, list(expected))
        missing = [pair for pair, value in zip(expected.items(), actual, strict=True) if pair[1] != value]
        for start in range(0, len(missing), _WORDS_A_TRANSACTION):
            part = missing[start : start + _WORDS_A_TRANSACTION]
            _send(address, encode_call("load", [number for pair in part for number in pair]))
            say(f"{start + len(part):,} of {len(missing):,} words are copied.")
        last_block = client.head().number
        if last_block <= seen or not client.raw_logs(seen + 1, last_block):
            return last_block
        _read_all()


def _compare(old: Deployment, address: str, last_block: int) -> None:
    """Raise ChainError unless the successor was given the predecessor's words, all of them and no others."""
    values: dict[int, int] = {}
    for log in client.topic_logs(address, _LOADED, old.block, client.head().number):
        (numbers,) = decode(["uint256[]"], bytes.fromhex(log.data[2:]))
        values |= dict(zip(numbers[::2], numbers[1::2], strict=True))
    expected = _words_of(old, last_block)
    made_with = [slot for slot in _role_slots(old) if slot not in values]  # by its constructor, below
    values |= dict(zip(made_with, client.words(address, made_with), strict=True))
    wrong = sum(values.get(slot, 0) != expected.get(slot, 0) for slot in values.keys() | expected.keys())
    if wrong:
        raise ChainError(
            f"{address} differs from its predecessor in {wrong} words: it is not to be trusted, and not used."
        )
    for log in client.topic_logs(address, ROLE_GRANTED, old.block, last_block):
        role, account = bytes.fromhex(log.topics[1][2:]), _address(log.topics[2])
        if identity.view_at(old.address, "hasRole", role, account) != (True,):
            raise ChainError(f"{address} was made with a role for {account}, which had none before.")


def _words_of(old: Deployment, at: int | None = None) -> dict[int, int]:
    """Return every word of the contract's state that is not zero, by its slot. Events name all of them."""
    until = Cursor.objects.values_list("seen", flat=True).get() if at is None else at
    slots = list(dict.fromkeys(_slots(old, until)))
    try:
        values = client.words(old.address, slots, "latest" if at is None else at)
    except RpcRefused:  # the node keeps no state of then
        values = client.words(old.address, slots)
    return {slot: word for slot, word in zip(slots, values, strict=True) if word}


def _slots(old: Deployment, until: int) -> Iterator[int]:
    events = Event.objects.filter(block_number__lte=until).in_order()
    for name, fields in events.values_list("name", "args").iterator(chunk_size=1_000):
        yield from slots_of(name, fields)
    yield from _role_slots(old)


def _role_slots(old: Deployment) -> Iterator[int]:
    for role in ("ADMISSION_ROLE", "ANCHOR_ROLE"):
        identifier = _role(role, old)
        yield from (role_slot(identifier, account) for account in _granted(old, identifier))


def _granted(old: Deployment, identifier: str) -> list[str]:
    """Return the accounts that were ever given a role."""
    logs = client.topic_logs(old.address, ROLE_GRANTED, first_block(), client.head().number)
    return [_address(log.topics[2]) for log in logs if log.topics[1] == identifier]


def _holders(old: Deployment, role: str) -> list[str]:
    identifier = _role(role, old)
    raw = bytes.fromhex(identifier[2:])
    accounts = _granted(old, identifier)
    return [
        account for account in accounts if identity.view_at(old.address, "hasRole", raw, account) == (True,)
    ]


def _role(role: str, old: Deployment) -> str:
    return "0x" + bytes(identity.view_at(old.address, role)[0]).hex()


def _admin_of(old: Deployment) -> str:
    return str(to_checksum_address(identity.view_at(old.address, "defaultAdmin")[0]))


def _address(topic: str) -> str:
    return str(to_checksum_address("0x" + topic[-40:]))


def _send(address: str, data: bytes) -> None:
    send_and_wait(portal_keys.relayer_keys()[0], address, data, gas=_GAS)
