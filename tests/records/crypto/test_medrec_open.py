"""medrec-open's tables, which are written out, against what they were written from."""

import base64
import hashlib
import json
import lzma
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
from mnemonic import Mnemonic

from accounts.crypto.phrase import new_entropy, phrase_of
from chain.abi import event_types
from records.crypto import medrec_open
from records.crypto.mdr1 import Encryptor, Role
from records.crypto.medrec_open import EVENTS, WORDS, Account, Refused, entropy_of, hkdf
from records.storage import Cid, LocalStore, Store


def test_it_is_short_enough_to_be_read_before_it_is_trusted() -> None:
    assert len(Path(medrec_open.__file__).read_text().splitlines()) < 300


def test_its_words_are_the_list_s_first_four_letters() -> None:
    words = [word[:4] for word in Mnemonic("english").wordlist]
    assert lzma.decompress(base64.b85decode(WORDS)).decode().split() == words


def test_a_phrase_gives_its_entropy_and_a_wrong_one_none() -> None:
    entropy = new_entropy()
    words = phrase_of(entropy).split()
    assert entropy_of("  ".join(words).upper()) == entropy
    for wrong in (words[:23], [*words[:23], "zzzz"], [*words, words[0]]):
        with pytest.raises(Refused, match="24 words"):
            entropy_of(" ".join(wrong))


def test_its_events_are_the_contract_s() -> None:
    found = {kind.topic.hex()[:8]: kind for kind in event_types().values()}
    directory = {"InstitutionAdmitted", "InstitutionLeft", "DoctorAffiliated", "LogAnchored"}
    assert {found[topic].name for topic in EVENTS} == {kind.name for kind in found.values()} - directory
    for topic, words in EVENTS.items():
        kind = found[topic]
        assert words.split() == [kind.name, *(name for name, _ in kind.indexed + kind.data)]
    published = next(kind for kind in found.values() if kind.name == "KeyPublished")
    assert "0x" + published.topic.hex() == medrec_open.KEY_PUBLISHED


def test_it_reads_each_argument_as_what_it_is() -> None:
    for kind in event_types().values():
        for name, solidity in kind.indexed + kind.data:
            if kind.topic.hex()[:8] in EVENTS:
                assert (name in medrec_open.ADDRESSES) == (solidity == "address"), name
                assert name not in medrec_open.NUMBERS or solidity.startswith("uint"), name
                assert (name in ("key", "secret")) == (solidity == "bytes"), name


CONTENT = b"haemoglobin 11.1"
SALT = bytes(32)
EPOCH = 0xFFFF
GOOD = {"title": "Blood", "file_name": "blood.txt"}
HOSTILE: list[Any] = [
    [],
    {},
    {"title": "T"},
    GOOD | {"title": 5, "file_name": 5},
    GOOD | {"title": "\ud800\x1b[2J", "content_key": "zz"},
    GOOD | {"at": "x", "record": "x", "folder": "x", "version": [], "content_key": None},
]


@pytest.fixture
def account(tmp_path: Path) -> Account:
    """What a phrase opens, with the store's folder and without a chain."""
    made = Account.__new__(Account)
    made.entropy, made.account, made.origin = os.urandom(32), bytes(4), bytes(52)
    made.store, made.events = str(tmp_path / "store"), []
    return made


def add(account: Account, described: Any) -> bytes:
    """A record of CONTENT with this description, whoever wrote it; its content's digest."""
    files: Store = LocalStore(Path(account.store))
    record, key, content_key = os.urandom(32), os.urandom(32), os.urandom(32)
    stored = files.put(Encryptor(content_key, Role.CONTENT, record, SALT).encrypt([CONTENT])).cid.digest
    if isinstance(described, dict):
        digest = hashlib.sha256(CONTENT).hexdigest()
        about = {"content_key": content_key.hex(), "content_salt": SALT.hex(), "sha256": digest}
        described = about | described
    sealed = Encryptor(key, Role.DESCRIPTION, record, SALT).encrypt([json.dumps(described).encode()])
    wrapping = hkdf(account.folder_key(1, EPOCH), "record-wrap", record)
    account.events.append(
        {
            "event": "RecordAdded",
            "at": datetime.now(UTC),
            "record": record,
            "folder": 1,
            "epoch": EPOCH,
            "flags": 0,
            "content": stored,
            "description": files.put(sealed).cid.digest,
            "secret": keywrap.aes_key_wrap(wrapping, key),
        }
    )
    return stored


def test_a_record_that_its_author_described_badly_keeps_no_other_from_opening(
    account: Account, tmp_path: Path
) -> None:
    for described in (*HOSTILE, GOOD):
        add(account, described)
    *bad, good = account.versions(tmp_path / "out")
    assert all("problem" in row and isinstance(row["title"], str) for row in bad)
    assert all((row["folder"], row["version"]) == (1, 1) and f"{row['at']:%Y}" for row in bad)
    assert Path(good["saved"]).read_bytes() == CONTENT
    assert len(list(account.versions(None))) == len(account.events)


def test_a_damaged_content_is_named_by_its_title(account: Account, tmp_path: Path) -> None:
    lost = add(account, GOOD)
    add(account, GOOD | {"title": "Scan"})
    LocalStore(Path(account.store)).unpin(Cid(lost))
    blood, scan = account.versions(tmp_path / "out")
    assert (blood["title"], "No such file" in blood["problem"]) == ("Blood", True)
    assert Path(scan["saved"]).read_bytes() == CONTENT


def test_a_folder_whose_name_is_lost_gives_its_records(account: Account, tmp_path: Path) -> None:
    add(account, GOOD)
    account.events.append({"event": "FolderNamed", "folder": 1, "serial": 1, "name": os.urandom(32)})
    (row,) = account.versions(tmp_path / "out")
    assert "/General/" in row["saved"]


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


def test_a_node_that_breaks_off_is_a_problem_of_each_record(account: Account, broken_node: str) -> None:
    add(account, GOOD)
    add(account, GOOD)
    account.store = broken_node
    assert ["problem" in row for row in account.versions(None)] == [True, True]


def test_a_chain_that_breaks_off_is_said(
    broken_node: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    phrase = tmp_path / "phrase"
    phrase.write_text(phrase_of(new_entropy()))
    options = ("--rpc", broken_node, "--contract", "0x", "--store", "x", "--phrase-file", str(phrase))
    monkeypatch.setattr(sys, "argv", ["medrec-open", *options])
    with pytest.raises(SystemExit, match="2"):
        medrec_open.main()
    assert "medrec-open: IncompleteRead" in capsys.readouterr().err
