"""Acts: types from the ABI, digests by EIP-712, bad fields refused in plain words."""

import secrets
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak

from chain.acts.messages import ZERO_ADDRESS, PreparedAct, prepare_act, sign_act
from chain.contract.abi import ACT_OF_EVENT, act_types, event_types
from chain.contract.refusals import explain_revert
from chain.contract.slots import builds_on, folder_scope, slot_grant, slot_of
from chain.errors import ActError, RpcRefused
from chain.keys.ecdsa import address_of_key, recover_signer, sign_digest
from chain.node import client, rpc
from chain.node.deployment import deployment, domain
from chain.node.domain import Domain
from tests.chain_node import ChainNode, fresh_person

DOMAIN = Domain(31337, "0x5FbDB2315678afecb367f032d93F642f64180aa3")


def any_act(kind: str) -> PreparedAct:
    """An act of a kind, its fields random."""
    values: dict[str, Any] = {}
    for name, solidity in act_types()[kind].members:
        if solidity == "address":
            values[name] = fresh_person().address
        elif solidity == "bool":
            values[name] = True
        elif solidity.startswith("uint"):
            values[name] = secrets.randbelow(1 << int(solidity[4:]))
        else:
            values[name] = secrets.token_bytes(int(solidity[5:] or 40))
    return prepare_act(kind, **values)


@pytest.mark.parametrize("kind", sorted(act_types()))
def test_digest_is_that_of_eip_712(kind: str) -> None:
    act = any_act(kind)
    message = encode_typed_data(full_message=act.typed_data(DOMAIN))
    expected = keccak(b"\x19" + message.version + message.header + message.body)
    assert act.digest(DOMAIN) == "0x" + expected.hex()


@pytest.mark.parametrize("kind", sorted(act_types()))
def test_every_act_has_a_slot_and_what_it_builds_on(kind: str) -> None:
    act = any_act(kind)
    slot, number = slot_of(kind, act.fields)
    assert ":" in slot
    assert number >= 0
    assert len(slot) <= 255
    assert (kind == "RevokeAccess") == (builds_on(kind, act.fields) == [])


def test_every_act_has_an_event_that_carries_all_its_fields() -> None:
    assert sorted(ACT_OF_EVENT.values()) == sorted(act_types())
    for event in event_types().values():
        carried = dict(event.indexed + event.data)
        assert dict(act_types()[ACT_OF_EVENT[event.name]].members).items() <= carried.items()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"serial": 1 << 64}, "serial is not a whole number of 64 bits"),
        ({"serial": -1}, "serial is not a whole number"),
        ({"serial": True}, "serial is not a whole number"),
        ({"permissions": 256}, "permissions is not a whole number of 8 bits"),
        ({"scope": "0x12"}, "scope is not 32 bytes long"),
        ({"scope": "zz"}, "scope is neither bytes nor 0x-hex"),
        ({"grantee": "0x" + "ab" * 20}, "grantee is not an address, or its checksum is wrong"),
        ({"grantee": ZERO_ADDRESS}, "grantee is the zero address"),
        ({"colour": 1}, "has no field colour"),
    ],
)
def test_bad_fields_are_refused_in_plain_words(change: dict[str, Any], words: str) -> None:
    good = {
        "author": fresh_person().address,
        "grantee": fresh_person().address,
        "via": ZERO_ADDRESS,
        "scope": folder_scope(1),
        "permissions": 1,
        "notBefore": 0,
        "expiry": 1,
        "epoch": 0,
        "envelopes": bytes(32),
        "request": bytes(32),
        "serial": 1,
    }
    assert prepare_act("GrantAccess", **good).fields["envelopes"] == "0x" + "00" * 32
    with pytest.raises(ActError, match=words):
        prepare_act("GrantAccess", **(good | change))


def test_a_missing_field_and_an_unknown_kind_are_refused() -> None:
    with pytest.raises(ActError, match="lacks serial"):
        prepare_act("NameFolder", author=fresh_person().address, folder=1, name=bytes(32))
    with pytest.raises(ActError, match="no act 'Nonsense'"):
        prepare_act("Nonsense")


def test_signatures_are_those_of_eth_account() -> None:
    key, digest = secrets.token_bytes(32), secrets.token_bytes(32)
    signature = sign_digest(key, digest)
    assert signature == bytes(Account.unsafe_sign_hash(digest, key).signature)
    assert recover_signer(digest, signature) == address_of_key(key)
    assert recover_signer(secrets.token_bytes(32), signature) != address_of_key(key)


def test_malleable_and_broken_signatures_have_no_signer() -> None:
    key, digest = secrets.token_bytes(32), secrets.token_bytes(32)
    signature = sign_digest(key, digest)
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    high_s = (order - int.from_bytes(signature[32:64])).to_bytes(32)
    twin = signature[:32] + high_s + bytes([55 - signature[64]])
    assert recover_signer(digest, twin) is None
    assert recover_signer(digest, signature[:64]) is None
    assert recover_signer(digest, bytes(65)) is None


def test_the_contract_takes_a_signed_act(chain_node: ChainNode) -> None:
    del chain_node
    person = fresh_person()
    signed = sign_act(person.prepare("NameFolder", folder=1, name=bytes(32), serial=1), person.key)
    assert rpc.call(deployment().address, signed.act.calldata(signed.signature)) == b""
    with pytest.raises(RpcRefused) as refused:
        rpc.call(deployment().address, signed.act.calldata(sign_digest(fresh_person().key, bytes(32))))
    assert explain_revert(refused.value.data).code == "NotSigner"


def test_the_domain_is_the_contract_s_own(chain_node: ChainNode) -> None:
    del chain_node
    _, name, version, chain_id, contract, _, _ = client.view("eip712Domain")
    assert (name, version, chain_id) == ("MedRec", "1", domain().chain_id)
    assert contract.lower() == domain().contract.lower()


def test_grant_and_revoke_share_a_slot_and_giving_up_has_its_own() -> None:
    patient, doctor = fresh_person().address, fresh_person().address
    scope = folder_scope(3)
    revoke = prepare_act(
        "RevokeAccess", author=patient, grantee=doctor, via=ZERO_ADDRESS, scope=scope, serial=4
    )
    assert revoke.slot == (slot_grant(patient, doctor, ZERO_ADDRESS, scope), 4)
    give_up = prepare_act(
        "GiveUpAccess", author=doctor, patient=patient, via=ZERO_ADDRESS, scope=scope, serial=4
    )
    assert give_up.slot == (f"giveup:{patient}:{doctor}:{ZERO_ADDRESS}:{scope}", 4)
