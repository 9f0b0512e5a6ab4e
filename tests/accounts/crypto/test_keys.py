"""Keys of an account: the same as any wallet's, as X-Wing's, and apart from each other."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from eth_account import Account

from accounts.crypto.bundle import KeyBundle, derive_account, derive_bundle
from accounts.crypto.derivation import derive, labelled
from accounts.crypto.errors import BadBundle
from accounts.crypto.keys import SharingKey, address_of, folder_root, private_key, sharing_seed, signing_key
from accounts.crypto.origin import Origin, address_bytes
from accounts.crypto.phrase import entropy_of, phrase_of
from tests.vectors import independent

ENTROPY = bytes(range(32))
XWING = json.loads((Path(__file__).parents[2] / "vectors" / "xwing.json").read_text())


def test_a_known_phrase_has_its_known_address() -> None:
    entropy = entropy_of("abandon " * 23 + "art")
    assert address_of(signing_key(entropy, 0)) == "0xF278cF59F82eDcf871d630F28EcC8056f25C1cdb"


@pytest.mark.parametrize("index", [0, 1, 9])
def test_a_wallet_opens_the_same_addresses(index: int) -> None:
    Account.enable_unaudited_hdwallet_features()
    wallet = Account.from_mnemonic(phrase_of(ENTROPY), account_path=f"m/44'/60'/0'/0/{index}")
    assert signing_key(ENTROPY, index) == bytes(wallet.key)
    assert address_of(signing_key(ENTROPY, index)) == wallet.address


def test_the_sharing_key_is_x_wings() -> None:
    public = SharingKey(bytes.fromhex(XWING["seed"])).public
    assert len(public) == 1217
    assert public[0] == 1
    assert public[1:].startswith(bytes.fromhex(XWING["public_start"]))
    assert public.endswith(bytes.fromhex(XWING["public_end"]))


def test_every_place_has_a_seed_of_its_own() -> None:
    places = [(i, g, v) for i in (0, 1) for g in (0, 1) for v in (1, 2)]
    assert len({sharing_seed(ENTROPY, *place) for place in places}) == len(places)


def test_keys_of_different_uses_differ() -> None:
    root = folder_root(ENTROPY, 0)
    used = {root, folder_root(ENTROPY, 1), private_key(root), sharing_seed(ENTROPY, 0, 0, 1), ENTROPY}
    assert len(used) == 5


def test_seeds_follow_the_format_page() -> None:
    fields = bytes.fromhex("00000001 00000002 00000003")
    assert sharing_seed(ENTROPY, 1, 2, 3) == independent.hkdf(
        ENTROPY, independent.label("sharing-seed") + fields
    )
    assert folder_root(ENTROPY, 1) == independent.hkdf(
        ENTROPY, independent.label("folder-root") + bytes.fromhex("00000001")
    )


def test_no_label_is_the_start_of_another() -> None:
    assert not labelled("folder-key").startswith(labelled("folder"))


def test_a_short_secret_derives_nothing() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        derive(b"password", labelled("token-key"))


def test_a_bundle_comes_back_whole() -> None:
    bundle = derive_bundle(ENTROPY, {0: (0, 3), 1: (1, 2)})
    assert KeyBundle.from_bytes(bundle.to_bytes()) == bundle
    assert set(bundle.accounts[0].sharing_seeds) == {(0, 1), (0, 2), (0, 3)}
    assert set(bundle.accounts[1].sharing_seeds) == {(1, 1), (1, 2)}
    assert bundle.accounts[1] == derive_account(ENTROPY, 1, 1, 2)


def test_a_read_only_bundle_holds_no_signing_key() -> None:
    bundle = derive_bundle(ENTROPY, {0: (0, 1)})
    read_only = bundle.read_only()
    assert read_only.accounts[0] == replace(bundle.accounts[0], signing_key=None)
    assert signing_key(ENTROPY, 0).hex().encode() not in read_only.to_bytes()
    assert KeyBundle.from_bytes(read_only.to_bytes()) == read_only


def test_no_secret_is_shown() -> None:
    bundle = derive_bundle(ENTROPY, {0: (0, 1)})
    keys = bundle.accounts[0]
    shown = repr(bundle) + repr(SharingKey(keys.sharing_seeds[0, 1]))
    for secret in (keys.signing_key, keys.folder_root, keys.sharing_seeds[0, 1]):
        assert secret is not None
        assert repr(secret) not in shown
        assert secret.hex() not in shown


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b'{"format":2,"accounts":[]}', b'{"format":1,"accounts":[{}]}']
)
def test_what_is_no_bundle_is_refused(data: bytes) -> None:
    with pytest.raises(BadBundle):
        KeyBundle.from_bytes(data)


def test_origin_is_chain_id_and_address() -> None:
    origin = Origin(31337, "0x5FbDB2315678afecb367f032d93F642f64180aa3")
    assert origin.to_bytes().hex() == f"{31337:064x}5fbdb2315678afecb367f032d93f642f64180aa3"


@pytest.mark.parametrize("address", ["", "0x", "5FbDB2315678afecb367f032d93F642f64180aa3", "0x" + "1 " * 20])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="40 hex digits"):
        address_bytes(address)
