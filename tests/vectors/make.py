"""Makes the test vectors beside it: `python -m tests.vectors.make` (from the project's folder).
With `--check` it writes nothing, and fails where a file would change.

Everything random is replaced by bytes that follow from a name, so that each run gives the same files. Except
what HPKE seals, whose randomness cannot be replaced: an envelope that is in the file already, and still
opens, is kept. A format that changes shows as a changed file.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import UUID

from accounts.crypto import bundle, keys, phrase, vault
from accounts.crypto.errors import CryptoError
from accounts.crypto.origin import Origin
from records.crypto import description, envelopes, folders, ids, mdr1, merkle, payloads, view_log, wrap
from tests.vectors.chain_and_store import acts_vectors, cids_vectors, institution_vectors, parts_vectors
from tests.vectors.refusals import refused_vectors

HERE = Path(__file__).parent
ORIGIN = Origin(31337, "0x5FbDB2315678afecb367f032d93F642f64180aa3")
GENERATION, FOLDER, EPOCH = 0, 1, 3
SECRET = "medrec_0123456789abcdef"
NAME = "Blut & Labor \u2014 2026"
FILE_SIZES = (0, 1, 65_535, 65_536, 65_537, 131_072, 200_000)


def fixed(name: str, length: int = 32) -> bytes:
    """Bytes that look random and follow from a name."""
    return b"".join(sha256(f"{name}/{n}".encode()).digest() for n in range(-(-length // 32)))[:length]


def plaintext(size: int) -> bytes:
    """The content of a test file: byte n is n * 7 mod 251."""
    return bytes(n * 7 % 251 for n in range(size))


def entropy() -> bytes:
    """The entropy of all vectors."""
    return fixed("entropy")


@contextmanager
def _no_chance(name: str) -> Iterator[None]:
    with patch("secrets.token_bytes", lambda length: fixed(name, length)):
        yield


def accounts_vectors() -> dict[str, Any]:
    """Phrase, keys, vault and bundles."""
    root = keys.folder_root(entropy(), 0)
    with _no_chance("vault"):
        sealed = vault.seal_vault(entropy(), "pa\u017f\u017fwort \u00c5ngstr\u00f6m 12", "user", "entropy")
    with _no_chance("under"):
        under = vault.seal_under(fixed("key"), b"plaintext", b"associated")
    return {
        "entropy": entropy().hex(),
        "phrase": phrase.phrase_of(entropy()),
        "accounts": [_account(index) for index in (0, 1)],
        "private_key": keys.private_key(root).hex(),
        "token": {
            "secret": "medrec_0123456789abcdef",
            "key": vault.token_key("medrec_0123456789abcdef").hex(),
        },
        "link": {"secret": "0123456789abcdef", "key": vault.link_key("0123456789abcdef").hex()},
        "vault": {"password": "passwort \u00c5ngstro\u0308m 12", "user": "user", **sealed.to_dict()},
        "under": {
            "key": fixed("key").hex(),
            "plaintext": b"plaintext".hex(),
            "associated": b"associated".hex(),
            "sealed": under.hex(),
        },
        "bundle": json.loads(bundle.derive_bundle(entropy(), {0: (0, 2), 1: (1, 1)}).to_bytes()),
    }


def _account(index: int) -> dict[str, Any]:
    seeds = [(g, v, keys.sharing_seed(entropy(), index, g, v)) for g, v in ((0, 1), (0, 2), (1, 3))]
    key = keys.signing_key(entropy(), index)
    return {
        "index": index,
        "signing_key": key.hex(),
        "address": keys.address_of(key),
        "folder_root": keys.folder_root(entropy(), index).hex(),
        "sharing_keys": [
            {
                "generation": generation,
                "version": version,
                "seed": seed.hex(),
                "public_sha256": sha256(keys.SharingKey(seed).public).hexdigest(),
                "digest": keys.SharingKey(seed).digest,
            }
            for generation, version, seed in seeds
        ],
    }


def folders_vectors() -> dict[str, Any]:
    """Folder secrets of first, middle and last epochs, a name, a wrapped secret."""
    root = keys.folder_root(entropy(), 0)
    secret = folders.folder_secret(root, ORIGIN, GENERATION, FOLDER, EPOCH)
    key, epoch = folders.folder_key(secret), folders.pack_epoch(GENERATION, EPOCH)
    with _no_chance("name"):
        name = folders.seal_name(key, epoch, NAME)
    places = [(0, 0, 65_535), (0, 1, 0), (0, 1, EPOCH), (0, 1, 32_768), (0, 1, 65_535), (2, 65_535, 7)]
    return {
        "origin": {
            "chain_id": ORIGIN.chain_id,
            "contract": ORIGIN.contract,
            "bytes": ORIGIN.to_bytes().hex(),
        },
        "folder_root": root.hex(),
        "secrets": [_secret(root, *place) for place in places],
        "name": {
            "folder_key": key.hex(),
            "epoch": epoch,
            "name": NAME,
            "sealed": name.hex(),
        },
        "wrap": {
            "folder_key": key.hex(),
            "record_id": fixed("record").hex(),
            "data_key": fixed("data key").hex(),
            "wrapped": wrap.wrap(key, fixed("record"), fixed("data key")).hex(),
        },
    }


def _secret(root: bytes, generation: int, folder: int, epoch: int) -> dict[str, Any]:
    secret = folders.folder_secret(root, ORIGIN, generation, folder, epoch)
    return {
        "generation": generation,
        "folder": folder,
        "epoch": epoch,
        "secret": secret.hex(),
        "key": folders.folder_key(secret).hex(),
    }


def files_vectors() -> dict[str, Any]:
    """MDR1 files around the chunk's size, a salt with a typed nonce, a description."""
    salt = mdr1.mix_salt(fixed("salt"), b"typed by the patient")
    files = []
    for size in FILE_SIZES:
        encryptor = mdr1.Encryptor(fixed("content key"), mdr1.Role.CONTENT, fixed("record"), salt)
        file = b"".join(encryptor.encrypt((plaintext(size),)))
        whole = {"file": file.hex()} if size < 100 else {"header": file[: mdr1.HEADER_BYTES].hex()}
        files.append({"size": size, "file_bytes": len(file), "sha256": sha256(file).hexdigest(), **whole})
    with _no_chance("description"):
        sealed = description.seal_description(fixed("data key"), fixed("record"), _description())
    return {
        "record_id": fixed("record").hex(),
        "content_key": fixed("content key").hex(),
        "salt": {"random": fixed("salt").hex(), "nonce": b"typed by the patient".hex(), "salt": salt.hex()},
        "plaintext": "byte n is n * 7 mod 251",
        "files": files,
        "description": {
            "data_key": fixed("data key").hex(),
            "json": _description().to_bytes().decode().rstrip(),
            "file": sealed.hex(),
        },
    }


def _description() -> description.Description:
    return description.Description(
        title="Blutbild \u2014 gro\u00df",
        kind="laboratory",
        service_date=date(2026, 2, 28),
        file_name="blood.pdf",
        media_type="application/pdf",
        size=65_537,
        sha256=sha256(plaintext(65_537)).digest(),
        content_key=fixed("content key"),
        content_salt=fixed("salt"),
        content_length=mdr1.ciphertext_size(65_537),
        previous_data_key=fixed("previous data key"),
    )


def envelopes_vectors(old: dict[str, Any]) -> dict[str, Any]:
    """Ids, payloads, contexts, sealed envelopes and a list. `old`: the file as it is."""
    key = keys.SharingKey(keys.sharing_seed(entropy(), 1, 0, 1))
    patient, grantee = (keys.address_of(keys.signing_key(entropy(), index)) for index in (0, 1))
    kept = {row["purpose"]: bytes.fromhex(row["sealed"]) for row in old.get("envelopes", [])}
    rows = []
    for purpose, scope, epoch, payload in _payloads():
        context = envelopes.EnvelopeContext(ORIGIN, purpose, patient, grantee, patient, scope, epoch)
        sealed = kept.get(purpose.name.lower(), b"")
        if not _opens(context, sealed, payload):
            sealed = envelopes.seal_envelope(context, key.public, payload)
        rows.append(
            {
                "purpose": purpose.name.lower(),
                "scope": scope.hex(),
                "epoch": epoch,
                "info": context.info(key.digest).hex(),
                "payload": payload.hex(),
                "sealed": sealed.hex(),
            }
        )
    listed = envelopes.EnvelopeList.of(
        envelopes.EnvelopeEntry(account, key.digest, fixed(f"envelope {account}"))
        for account in (patient, grantee)
    )
    return {
        "patient": patient,
        "recipient": grantee,
        "recipient_seed": keys.sharing_seed(entropy(), 1, 0, 1).hex(),
        "recipient_key_digest": key.digest,
        "ids": {
            "nonce": fixed("nonce").hex(),
            "author": patient,
            "patient": patient,
            "record": ids.record_id(patient, fixed("nonce")).hex(),
            "selection": ids.selection_id(patient, fixed("nonce"), [fixed("b"), fixed("a")]).hex(),
            "selected": [fixed("a").hex(), fixed("b").hex()],
        },
        "envelopes": rows,
        "list": {"bytes": listed.to_bytes().hex(), "digest": listed.digest.hex()},
    }


def _payloads() -> list[tuple[envelopes.Purpose, bytes, int, bytes]]:
    terms = payloads.Terms(
        "TREAT", ("laboratory", "imaging"), 3, 30, date(2026, 1, 1), None, "Bitte \u2014 danke"
    )
    data_key = payloads.DataKeyPayload(fixed("data key")).to_bytes()
    epochs = {folders.pack_epoch(0, EPOCH): fixed("secret 0"), folders.pack_epoch(1, 5): fixed("secret 1")}
    selection = payloads.SelectionPayload(
        fixed("nonce"), {fixed("b"): fixed("key b"), fixed("a"): fixed("key a")}, terms
    )
    patient = keys.address_of(keys.signing_key(entropy(), 0))
    of = envelopes.Purpose
    return [
        (
            of.FOLDER,
            envelopes.folder_scope(FOLDER),
            max(epochs),
            payloads.FolderPayload(epochs, terms).to_bytes(),
        ),
        (of.RECORD, fixed("record"), EPOCH, payloads.RecordPayload(fixed("data key"), terms).to_bytes()),
        (of.SELECTION, selection.selection_id(patient), 0, selection.to_bytes()),
        (of.TERMS, fixed("request"), 0, terms.to_bytes()),
        (of.REASON, fixed("request"), 0, payloads.Reason("Nicht n\u00f6tig").to_bytes()),
        (of.INBOX, fixed("record"), 0, data_key),
        (of.QUEUED, fixed("record"), EPOCH, data_key),
    ]


def _opens(context: envelopes.EnvelopeContext, sealed: bytes, payload: bytes) -> bool:
    try:
        return envelopes.open_envelope(context, keys.sharing_seed(entropy(), 1, 0, 1), sealed) == payload
    except CryptoError:
        return False


def view_log_vectors() -> dict[str, Any]:
    """Looks with their entries, the tree after each, and the id of a log that goes on."""
    patient, viewer = (keys.address_of(keys.signing_key(entropy(), index)) for index in (0, 1))
    looks = [
        {
            "id": str(UUID(bytes=fixed(f"look {n}", 16))),
            "patient": patient,
            "record": "0x" + fixed("record").hex() if n % 2 else "",
            "version": n if n % 2 else 0,
            "viewer": viewer,
            "via": ORIGIN.contract if n % 3 else "",
            "what": "content" if n % 2 else "list",
            "at": f"2026-03-0{n + 1}T12:00:0{n}.00000{n}+00:00",
        }
        for n in range(7)
    ]
    tree, rows = merkle.Frontier(), []
    for look in looks:
        entry = _look(look).to_bytes()
        tree.append(entry)
        rows.append(
            {**look, "entry": entry.hex(), "root": tree.root.hex(), "subtrees": tree.to_bytes().hex()}
        )
    log = fixed("log")
    next_log = view_log.next_log_id(log, tree.size, tree.root).hex()
    return {
        "empty_root": merkle.EMPTY_ROOT.hex(),
        "looks": rows,
        "log": log.hex(),
        "next_log": next_log,
    }


def _look(given: dict[str, Any]) -> view_log.Look:
    return view_log.Look(**given | {"id": UUID(given["id"]), "at": datetime.fromisoformat(given["at"])})


def load(name: str) -> dict[str, Any]:
    """The vectors of a file, or nothing where it is not made yet."""
    path = HERE / f"{name}.json"
    return dict(json.loads(path.read_text())) if path.exists() else {}


def make_all() -> dict[str, dict[str, Any]]:
    """Every file's vectors, by its name."""
    return {
        "accounts": accounts_vectors(),
        "folders": folders_vectors(),
        "files": files_vectors(),
        "envelopes": envelopes_vectors(load("envelopes")),
        "view_log": view_log_vectors(),
        "cids": cids_vectors(),
        "parts": parts_vectors(fixed, plaintext),
        "institutions": institution_vectors(
            fixed, ORIGIN, keys.sharing_seed(entropy(), 1, 0, 1), load("institutions")
        ),
        "acts": acts_vectors(fixed, ORIGIN),
        "refused": refused_vectors(load("envelopes")),
    }


def main() -> int:
    """Write the files, or only compare. Exit code 1 if one differs."""
    check, code = sys.argv[1:] == ["--check"], 0
    for name, vectors in make_all().items():
        path, text = HERE / f"{name}.json", json.dumps(vectors, indent=1, ensure_ascii=False) + "\n"
        if not check:
            path.write_text(text)
        elif path.read_text() != text:
            sys.stderr.write(f"{path.name} would change: these formats are frozen\n")
            code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())
