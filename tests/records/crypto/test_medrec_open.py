"""medrec-open: its tables against what they were written from, and what hostile or lost bytes do to it."""

import ast
import hashlib
import json
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from cryptography.hazmat.primitives import keywrap
from eth_hash.auto import keccak
from mnemonic import Mnemonic

from accounts.crypto import keys as portal_keys
from accounts.crypto.phrase import new_entropy, phrase_of
from chain.contract.abi import event_types
from records.crypto import medrec_open
from records.crypto.mdr1 import Encryptor, Role, ciphertext_size
from records.crypto.medrec_open import __main__ as command
from records.crypto.medrec_open import chain, words
from records.crypto.medrec_open.account import OwnKeys
from records.crypto.medrec_open.envelopes import Envelopes
from records.crypto.medrec_open.errors import Refused
from records.crypto.medrec_open.keys import SharingKey, folder_secret, hkdf, keccak256, signer_address
from records.crypto.medrec_open.pack import pack
from records.crypto.medrec_open.records import Records
from records.crypto.medrec_open.store import Store as OpenStore
from records.storage import Cid, LocalStore, Store

FILES = sorted(Path(medrec_open.__file__).parent.glob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_it_needs_nothing_of_the_portal(path: Path) -> None:
    named = set[str]()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            named |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            named.add(str(node.module).split(".")[0])
    assert named <= {*sys.stdlib_module_names, "cryptography"}


def test_it_is_short_enough_to_be_read_before_it_is_trusted() -> None:
    assert sum(len(path.read_text().splitlines()) for path in FILES) < 1500


def test_one_file_is_made_of_it_and_always_the_same(tmp_path: Path) -> None:
    for name in ("one.pyz", "other.pyz"):
        pack(tmp_path / name)
    assert (tmp_path / "one.pyz").read_bytes() == (tmp_path / "other.pyz").read_bytes()


def test_its_words_are_the_list_s() -> None:
    assert words.word_list() == Mnemonic("english").wordlist


def test_a_phrase_gives_its_entropy_and_a_wrong_one_none() -> None:
    entropy = new_entropy()
    phrase = phrase_of(entropy).split()
    assert words.phrase_of(entropy).split() == phrase
    assert words.entropy_of("  ".join(phrase).upper()) == entropy
    assert words.entropy_of(" ".join(word[:4] for word in phrase)) == entropy
    for wrong in (phrase[:23], [*phrase[:23], "zzzz"], [*phrase, phrase[0]]):
        with pytest.raises(Refused, match="24 words"):
            words.entropy_of(" ".join(wrong))


@pytest.mark.parametrize("length", [0, 1, 135, 136, 137, 1217])
def test_its_keccak_is_ethereum_s(length: int) -> None:
    data = os.urandom(length)
    assert keccak256(data) == keccak(data)


@pytest.mark.parametrize("index", [0, 1])
def test_its_keys_are_the_portal_s(index: int) -> None:
    entropy = new_entropy()
    address = portal_keys.address_of(portal_keys.signing_key(entropy, index))
    assert signer_address(entropy, index).hex() == address[2:].lower()
    theirs = portal_keys.SharingKey(portal_keys.sharing_seed(entropy, index, 2, 3))
    ours = SharingKey(entropy, index, 2, 3)
    assert (ours.public, "0x" + ours.digest.hex()) == (theirs.public, theirs.digest)


def test_its_events_are_the_contract_s() -> None:
    known = {kind.topic.hex()[:8]: kind for kind in event_types().values()}
    directory = {"InstitutionAdmitted", "InstitutionLeft", "DoctorAffiliated", "LogAnchored"}
    assert {known[topic].name for topic in chain.EVENTS} == {kind.name for kind in known.values()} - directory
    for topic, fields in chain.EVENTS.items():
        kind = known[topic]
        assert fields.split() == [kind.name, *(name for name, _ in kind.indexed + kind.data)]
    by_name = {kind.name: "0x" + kind.topic.hex() for kind in known.values()}
    assert (by_name["AccessDenied"], by_name["KeysReplaced"]) == (chain.ACCESS_DENIED, chain.KEYS_REPLACED)


def test_it_reads_each_argument_as_what_it_is() -> None:
    for kind in event_types().values():
        for name, solidity in kind.indexed + kind.data:
            if kind.topic.hex()[:8] in chain.EVENTS:
                assert (name in chain.ADDRESSES) == (solidity == "address"), name
                assert name not in chain.NUMBERS or solidity.startswith(("uint", "bool")), name
                assert (name in ("key", "secret")) == (solidity == "bytes"), name


CONTENT = b"haemoglobin 11.1"
SALT = bytes(32)
EPOCH = 0xFFFF
GOOD = {
    "format": 1,
    "title": "Blood",
    "kind": "11502-2",
    "service_date": None,
    "file_name": "blood.txt",
    "media_type": "text/plain",
    "size": len(CONTENT),
    "content_length": ciphertext_size(len(CONTENT)),
    "previous_data_key": None,
}
HOSTILE: list[Any] = [
    [],
    {},
    {"title": "T"},
    GOOD | {"title": 5, "file_name": 5},
    GOOD | {"title": "\ud800\x1b[2J"},
    GOOD | {"content_key": "zz"},
    GOOD | {"at": "x", "record": "x", "folder": "x", "version": [], "content_key": None},
]


class Patient:
    """What a phrase opens of a patient's events, with the store's folder and without a chain."""

    def __init__(self, place: Path) -> None:
        self.place, self.entropy, self.origin, self.address = place, os.urandom(32), bytes(52), os.urandom(20)
        self.events: list[dict[str, Any]] = []
        self.store: Store = LocalStore(place)

    def open(self, out: Path | None, place: str = "") -> list[dict[str, Any]]:
        """The rows that medrec-open shows."""
        store = OpenStore(place or str(self.place))
        key = SharingKey(self.entropy, 0, 0, 1)
        envelopes = Envelopes(store, self.origin, self.address, {key.digest: key})
        own = OwnKeys([self.entropy], 0, self.origin)
        return list(Records(self.address, self.events, own, store, envelopes).rows(out))

    def add(self, described: Any) -> bytes:
        """A record of CONTENT with this description, by anybody. Return its content's digest."""
        record, key, content_key = os.urandom(32), os.urandom(32), os.urandom(32)
        encrypted = Encryptor(content_key, Role.CONTENT, record, SALT).encrypt([CONTENT])
        stored = self.store.put(encrypted).cid.digest
        if isinstance(described, dict):
            digest = hashlib.sha256(CONTENT).hexdigest()
            about = {"content_key": content_key.hex(), "content_salt": SALT.hex(), "sha256": digest}
            described = about | described
        data = described if isinstance(described, bytes) else json.dumps(described).encode()
        sealed = Encryptor(key, Role.DESCRIPTION, record, SALT).encrypt([data])
        files = {"content": stored, "description": self.store.put(sealed).cid.digest}
        self.tell("RecordAdded", record=record, flags=0, **files, **self.wrapped(record, key, 1))
        return stored

    def wrapped(self, record: bytes, key: bytes, folder: int) -> dict[str, Any]:
        """The fields of an act that puts a record into a folder."""
        secret = hkdf(folder_secret(self.entropy, 0, self.origin, folder, EPOCH), "folder-key")
        wrapped = keywrap.aes_key_wrap(hkdf(secret, "record-wrap", record), key)
        return {"folder": folder, "epoch": EPOCH, "secret": wrapped}

    def tell(self, event: str, **fields: Any) -> None:
        """One more event."""
        place = {"at": datetime.now(UTC), "block": len(self.events), "index": 0}
        self.events.append({"event": event, "patient": self.address, "author": self.address} | place | fields)


@pytest.fixture
def patient(tmp_path: Path) -> Patient:
    """A patient without records."""
    return Patient(tmp_path / "store")


def test_a_record_that_its_author_described_badly_keeps_no_other_from_opening(
    patient: Patient, tmp_path: Path
) -> None:
    nested = [b"[" * 60_000, b'{"a":' * 9_000, b'{"title":NaN}', b'{"size":' + b"9" * 5_000 + b"}"]
    for described in (*HOSTILE, *nested, GOOD):
        patient.add(described)
    *bad, good = patient.open(tmp_path / "out")
    assert all("problem" in row and isinstance(row["title"], str) for row in bad)
    assert all((row["folder"], row["version"]) == (1, 1) and f"{row['at']:%Y}" for row in bad)
    assert Path(good["saved"]).read_bytes() == CONTENT
    assert len(patient.open(None)) == len(patient.events)


def test_no_key_is_written_down(patient: Patient) -> None:
    patient.add(GOOD)
    (row,) = patient.open(None)
    assert row["title"] == "Blood"
    assert not [name for name in row if "key" in name or "salt" in name]


@pytest.mark.parametrize(
    "change",
    [{"sha256": "00" * 32}]
    + [{"size": size, "content_length": ciphertext_size(size)} for size in (0, 15, 17)],
)
def test_a_content_that_is_not_the_one_described_is_not_saved(
    patient: Patient, tmp_path: Path, change: dict[str, Any]
) -> None:
    patient.add(GOOD | change)
    (row,) = patient.open(tmp_path / "out")
    assert "not the content described" in row["problem"]
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]


def test_a_damaged_content_is_named_by_its_title(patient: Patient, tmp_path: Path) -> None:
    lost = patient.add(GOOD)
    patient.add(GOOD | {"title": "Scan"})
    LocalStore(patient.place).unpin(Cid(lost))
    blood, scan = patient.open(tmp_path / "out")
    assert (blood["title"], "No such file" in blood["problem"]) == ("Blood", True)
    assert Path(scan["saved"]).read_bytes() == CONTENT


def test_a_folder_whose_name_is_lost_gives_its_records(patient: Patient, tmp_path: Path) -> None:
    patient.add(GOOD)
    patient.tell("FolderNamed", folder=1, serial=1, name=os.urandom(32))
    (row,) = patient.open(tmp_path / "out")
    assert "/General/" in row["saved"]


def test_a_record_is_shown_where_it_is_now_and_opens_by_any_event_s_secret(patient: Patient) -> None:
    """Filed from the inbox, whose envelopes are gone; then moved by somebody who wrapped it wrongly."""
    patient.add(GOOD)
    added = patient.events[0]
    record, key = added["record"], os.urandom(32)
    sealed = Encryptor(key, Role.DESCRIPTION, record, SALT).encrypt(
        [
            json.dumps(
                GOOD | {"content_key": "00" * 32, "content_salt": "00" * 32, "sha256": "00" * 32}
            ).encode()
        ]
    )
    files = {"content": added["content"], "description": patient.store.put(sealed).cid.digest, "flags": 0}
    inbox = {"folder": 0, "epoch": 0, "secret": os.urandom(32)}
    patient.events.clear()
    patient.tell("RecordAdded", record=record, **files, **inbox)
    patient.tell("RecordModified", record=record, version=2, **files, **patient.wrapped(record, key, 2))
    moved = patient.wrapped(record, key, 3) | {"secret": os.urandom(40)}
    patient.tell("RecordModified", record=record, version=3, **files, **moved)
    (row,) = patient.open(None)
    assert (row["title"], row["folder"], row["first_folder"], row["version"]) == ("Blood", 3, 0, 1)
    assert "problem" not in row


class _BreaksOff(BaseHTTPRequestHandler):
    """A node that ends in the middle of a content, which it sends as Kubo does: chunked."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"3e8\r\n" + bytes(1000) + b"\r\n")
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        del format, args


@pytest.fixture
def broken_node() -> Iterator[str]:
    """The address of such a node."""
    with HTTPServer(("127.0.0.1", 0), _BreaksOff) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_node_that_breaks_off_is_a_problem_of_each_record(patient: Patient, broken_node: str) -> None:
    patient.add(GOOD)
    patient.add(GOOD)
    assert ["problem" in row for row in patient.open(None, broken_node)] == [True, True]


def test_a_chain_that_breaks_off_is_said(
    broken_node: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    phrase = tmp_path / "phrase"
    phrase.write_text(phrase_of(new_entropy()))
    options = ("--rpc", broken_node, "--contract", "0x", "--store", "x", "--phrase-file", str(phrase))
    monkeypatch.setattr(sys, "argv", ["medrec-open", *options])
    with pytest.raises(SystemExit, match="2"):
        command.main()
    assert "medrec-open: the node breaks off: IncompleteRead" in capsys.readouterr().err
