"""The frozen examples: the code still makes them, and another implementation opens them."""

from datetime import UTC, datetime
from hashlib import sha256

import pytest
from coincurve import PublicKey
from eth_hash.auto import keccak
from mnemonic import Mnemonic

from accounts.crypto.sealing import open_sealed
from accounts.crypto.vault import SealedVault, open_under, open_vault
from records.crypto.folders import open_name
from records.crypto.mdr1 import Encryptor, Role
from records.crypto.payloads import FolderPayload, SelectionPayload
from tests.vectors import independent
from tests.vectors.independent_store import cid_text, root_of
from tests.vectors.make import fixed, load, make_all, plaintext

NAMES = [
    "accounts", "folders", "files", "envelopes", "view_log", "cids", "parts", "institutions", "acts",
    "refused",
]  # fmt: skip


def test_each_file_is_compared(made: dict[str, dict[str, object]]) -> None:
    assert set(made) == set(NAMES)


@pytest.fixture(scope="module")
def made() -> dict[str, dict[str, object]]:
    return make_all()


@pytest.mark.parametrize("name", NAMES)
def test_no_format_has_changed(name: str, made: dict[str, dict[str, object]]) -> None:
    assert made[name] == load(name)


def test_the_vault_opens_with_the_password_however_it_is_typed() -> None:
    vectors = load("accounts")
    vault = dict(vectors["vault"])
    password, user = vault.pop("password"), vault.pop("user")
    opened = open_vault(SealedVault.from_dict(vault), password, user, "entropy")
    assert opened.hex() == vectors["entropy"]


def test_sealed_bytes_open() -> None:
    accounts, folders = load("accounts"), load("folders")
    under, name = accounts["under"], folders["name"]
    opened = open_under(
        bytes.fromhex(under["key"]), bytes.fromhex(under["sealed"]), bytes.fromhex(under["associated"])
    )
    assert opened.hex() == under["plaintext"]
    assert open_name(bytes.fromhex(name["folder_key"]), bytes.fromhex(name["sealed"])) == name["name"]


def test_envelopes_open_by_their_written_info() -> None:
    vectors = load("envelopes")
    seed = bytes.fromhex(vectors["recipient_seed"])
    for row in vectors["envelopes"]:
        info, sealed = bytes.fromhex(row["info"]), bytes.fromhex(row["sealed"])
        assert open_sealed(seed, info, sealed).hex() == row["payload"]
    payloads = {row["purpose"]: bytes.fromhex(row["payload"]) for row in vectors["envelopes"]}
    scopes = {row["purpose"]: row["scope"] for row in vectors["envelopes"]}
    assert FolderPayload.from_bytes(payloads["folder"]).terms.note == "Bitte \u2014 danke"
    selection = SelectionPayload.from_bytes(payloads["selection"])
    assert (
        selection.selection_id(vectors["patient"]).hex() == scopes["selection"] == vectors["ids"]["selection"]
    )


def test_another_implementation_goes_from_folder_root_to_content() -> None:
    """Root, folder key, wrapped secret; then the small files and the description."""
    folders, files = load("folders"), load("files")
    record = bytes.fromhex(files["record_id"])
    origin, root = bytes.fromhex(folders["origin"]["bytes"]), bytes.fromhex(folders["folder_root"])
    for row in folders["secrets"]:
        key = independent.folder_key(root, origin, row["generation"], row["folder"], row["epoch"])
        assert key.hex() == row["key"]
    wrap = folders["wrap"]
    wrapping_key = independent.hkdf(
        bytes.fromhex(wrap["folder_key"]), independent.label("record-wrap") + bytes.fromhex(wrap["record_id"])
    )
    data_key = independent.unwrap(wrapping_key, bytes.fromhex(wrap["wrapped"]))
    described = files["description"]
    opened = independent.open_mdr1(data_key, 2, record, bytes.fromhex(described["file"]))
    assert opened.decode().rstrip() == described["json"]
    whole = [row for row in files["files"] if "file" in row]
    assert whole
    for row in whole:
        file = bytes.fromhex(row["file"])
        assert sha256(file).hexdigest() == row["sha256"]
        content = independent.open_mdr1(bytes.fromhex(files["content_key"]), 1, record, file)
        assert content == plaintext(row["size"])


def test_another_implementation_goes_from_the_phrase_to_all_keys() -> None:
    vectors = load("accounts")
    entropy = bytes.fromhex(vectors["entropy"])
    words = Mnemonic("english").wordlist
    checked = entropy + sha256(entropy).digest()[:1]
    bits = f"{int.from_bytes(checked, 'big'):0264b}"
    phrase = " ".join(words[int(bits[at : at + 11], 2)] for at in range(0, 264, 11))
    assert phrase == vectors["phrase"]
    for row in vectors["accounts"]:
        index = row["index"].to_bytes(4, "big")
        key, address = independent.signing_key(phrase, row["index"])
        assert (key.hex(), address.hex()) == (row["signing_key"], row["address"][2:].lower())
        root = independent.hkdf(entropy, independent.label("folder-root") + index)
        assert root.hex() == row["folder_root"]
        for one in row["sharing_keys"]:
            place = one["generation"].to_bytes(4, "big") + one["version"].to_bytes(4, "big")
            seed = independent.hkdf(entropy, independent.label("sharing-seed") + index + place)
            public = independent.sharing_key(seed)
            assert (seed.hex(), sha256(public).hexdigest()) == (one["seed"], one["public_sha256"])
            assert "0x" + keccak(public).hex() == one["digest"]


def test_another_implementation_opens_envelopes_and_reads_the_list() -> None:
    """Each info is written anew, field by field, and each payload opened by an X-Wing of its own."""
    vectors, origin = load("envelopes"), bytes.fromhex(load("folders")["origin"]["bytes"])
    patient, recipient = (bytes.fromhex(vectors[name][2:]) for name in ("patient", "recipient"))
    digest = bytes.fromhex(vectors["recipient_key_digest"][2:])
    for number, row in enumerate(vectors["envelopes"], start=1):
        place = bytes.fromhex(row["scope"]) + row["epoch"].to_bytes(4, "big")
        info = independent.label("envelope") + origin + bytes((number,)) + patient + recipient
        info += digest + patient + place
        assert info.hex() == row["info"]
        seed, sealed = bytes.fromhex(vectors["recipient_seed"]), bytes.fromhex(row["sealed"])
        assert independent.open_sealed(seed, info, sealed).hex() == row["payload"]
    listed = bytes.fromhex(vectors["list"]["bytes"])
    assert sha256(listed).hexdigest() == vectors["list"]["digest"]
    assert (listed[:5], listed[5:9]) == (b"MDRL\x01", bytes((0, 0, 0, 2)))
    rows = [listed[at : at + 84] for at in range(9, len(listed), 84)]
    assert [row[:52] for row in rows] == [patient + digest, recipient + digest]


def test_another_implementation_comes_to_the_same_roots() -> None:
    """Each entry is written anew, field by field."""
    vectors = load("view_log")
    entries: list[bytes] = []
    for row in vectors["looks"]:
        record, via = (bytes.fromhex(row[name][2:]) for name in ("record", "via"))
        since = datetime.fromisoformat(row["at"]) - datetime(1970, 1, 1, tzinfo=UTC)
        micros = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
        entry = independent.label("view") + bytes.fromhex(row["id"].replace("-", ""))
        entry += bytes.fromhex(row["patient"][2:]) + record.rjust(32, b"\0")
        entry += row["version"].to_bytes(4, "big") + bytes.fromhex(row["viewer"][2:]) + via.rjust(20, b"\0")
        entry += bytes((["content", "list"].index(row["what"]) + 1,)) + micros.to_bytes(8, "big")
        entries.append(entry)
        assert (entry.hex(), independent.merkle_root(entries).hex()) == (row["entry"], row["root"])
    fields = (
        bytes.fromhex(vectors["log"]) + len(entries).to_bytes(8, "big") + independent.merkle_root(entries)
    )
    assert keccak(independent.label("view-log-after") + fields).hex() == vectors["next_log"]
    assert independent.merkle_root([]).hex() == vectors["empty_root"]


def test_an_id_is_of_its_author_and_a_selection_of_its_patient() -> None:
    made = load("envelopes")["ids"]
    author, patient = (bytes.fromhex(made[name][2:]) for name in ("author", "patient"))
    nonce = bytes.fromhex(made["nonce"])
    assert keccak(author + nonce).hex() == made["record"]
    selected = b"".join(bytes.fromhex(record) for record in sorted(made["selected"]))
    assert keccak(patient + nonce + selected).hex() == made["selection"]


def test_another_implementation_comes_to_the_same_cids() -> None:
    """Trees of one and two levels, written as protobuf by hand."""
    for row in load("cids")["files"]:
        digest, dag_pb = root_of(row["size"])
        assert (digest.hex(), int(dag_pb)) == (row["digest"], row["flags"])
        assert cid_text(digest, dag_pb=dag_pb) == row["cid"]


def test_another_implementation_cuts_an_upload_into_the_same_parts() -> None:
    vectors, record = load("parts"), bytes.fromhex(load("files")["record_id"])
    key, size, step = bytes.fromhex(vectors["upload_key"]), vectors["size"], vectors["part_bytes"]
    plain, digest, at = plaintext(size), bytes(32), 0
    for row in vectors["parts"]:
        part = plain[row["part"] * step :][:step]
        digest = sha256(digest + sha256(part).digest()).digest()
        assert (digest.hex(), at) == (row["digest"], row["at"])
        part_key = independent.hkdf(key, independent.label("upload-part") + row["part"].to_bytes(4, "big"))
        sealed = b"".join(Encryptor(part_key, Role.PART, record, fixed("salt")).encrypt((part,)))
        assert sha256(sealed).hexdigest() == row["encrypted_sha256"]
        at += len(sealed)


def test_another_implementation_opens_an_institution_s_keys() -> None:
    vectors, origin = load("institutions"), bytes.fromhex(load("folders")["origin"]["bytes"])
    recipient_key = load("envelopes")["recipient_key_digest"]
    seed = bytes.fromhex(load("envelopes")["recipient_seed"])
    for row in vectors["sealed"]:
        info = independent.label(f"institution-{row['kind']}") + origin
        info += b"".join(bytes.fromhex(vectors[name][2:]) for name in ("institution", "recipient"))
        info += bytes.fromhex(recipient_key[2:])
        info += row["generation"].to_bytes(4, "big") + row["version"].to_bytes(4, "big")
        assert info.hex() == row["info"]
        assert independent.open_sealed(seed, info, bytes.fromhex(row["sealed"])).hex() == row["plaintext"]


def test_another_implementation_comes_to_the_same_digests_of_acts() -> None:
    """EIP-712 over words of 32 bytes. The domain is the contract in use, not the first one."""
    vectors = load("acts")
    assert vectors["domain"]["verifyingContract"] != load("folders")["origin"]["contract"]
    domain = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    values = [
        keccak(b"MedRec"),
        keccak(b"1"),
        vectors["domain"]["chainId"],
        vectors["domain"]["verifyingContract"],
    ]
    separator = keccak(keccak(domain.encode()) + b"".join(_word(value) for value in values))
    assert "0x" + separator.hex() == vectors["separator"]
    for row in vectors["acts"]:
        members = [member.split() for member in row["type"].split("(")[1].rstrip(")").split(",")]
        words = [
            keccak(bytes.fromhex(row["fields"][name][2:]))
            if solidity == "bytes"
            else _word(row["fields"][name])
            for solidity, name in members
        ]
        struct = keccak(keccak(row["type"].encode()) + b"".join(words))
        assert "0x" + keccak(b"\x19\x01" + separator + struct).hex() == row["digest"]
        signature = bytes.fromhex(row["signature"][2:])
        packed = signature[:64] + bytes((signature[64] - 27,))
        signer = PublicKey.from_signature_and_message(packed, bytes.fromhex(row["digest"][2:]), hasher=None)
        signer_address = keccak(signer.format(compressed=False)[1:])[12:].hex()
        assert signer_address == row["fields"]["author"][2:].lower()


def _word(value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return value.to_bytes(32, "big")
    return bytes.fromhex(value[2:]).rjust(32, b"\0") if isinstance(value, str) else value
