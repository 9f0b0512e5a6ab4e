"""The frozen examples: the code still makes them, and another implementation opens them."""

from hashlib import sha256

import pytest

from accounts.crypto.sealing import open_sealed
from accounts.crypto.vault import SealedVault, open_under, open_vault
from records.crypto.folders import open_name
from records.crypto.payloads import FolderPayload, SelectionPayload
from tests.vectors import independent
from tests.vectors.make import load, make_all, plaintext


@pytest.fixture(scope="module")
def made() -> dict[str, dict[str, object]]:
    return make_all()


@pytest.mark.parametrize("name", ["accounts", "folders", "files", "envelopes"])
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
    opened = open_under(bytes.fromhex(under["key"]), bytes.fromhex(under["sealed"]), b"associated")
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
