"""medrec-open on a real chain: a patient's phrase, a doctor's, an institution's, and nodes that refuse."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from accounts.actor import Actor
from accounts.crypto.keys import SharingKey, address_of, sharing_seed, signing_key
from accounts.crypto.phrase import new_entropy, phrase_of
from accounts.services import affiliations, vaults
from accounts.services.institution_keys import open_entropy
from chain.acts.messages import prepare_act, sign_act
from chain.models import Act, ActState
from chain.node.deployment import Deployment, deployment, note_deployment
from chain.operations.succession import succeed
from chain.outbox.submit import submit_act
from records.content import settle_blobs
from records.crypto.medrec_open import chain as open_chain
from records.crypto.medrec_open.account import Account
from records.crypto.medrec_open.chain import Node
from records.crypto.medrec_open.errors import Refused
from records.crypto.medrec_open.store import Store
from records.services import documents, folders, inbox, requests, revocations
from tests.chain_node import ChainNode, remember
from tests.people import PASSWORD, make_patient
from tests.records.conftest import Clinic, grant, run_errands, select_all, upload

pytestmark = pytest.mark.django_db
BLOOD, BLOOD_2, LETTER, SCAN = b"%PDF- 11.1", b"%PDF- 11.3", b"%PDF- Dear colleague", b"%PDF- scan"


class Opener:
    """medrec-open with the test's node and store."""

    def __init__(self, chain: ChainNode, store: Path) -> None:
        self.url, self.store = chain.url, store

    def account(self, *entropies: bytes, index: int = 0, url: str = "") -> Account:
        """The account behind these phrases, the newest first."""
        while settle_blobs():
            pass
        phrases = [phrase_of(entropy) for entropy in entropies]
        contract = deployment().address
        return Account(phrases, index, Node(url or self.url), contract, Store(str(self.store)))


@pytest.fixture
def opener(chain: ChainNode, store_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Opener:
    """medrec-open, which does not sleep."""
    monkeypatch.setattr("records.crypto.medrec_open.web.time.sleep", lambda _: None)
    return Opener(chain, store_folder)


def entropy_of(actor: Actor) -> bytes:
    """Return the entropy of the phrase of an actor's user."""
    return vaults.open_entropy(actor.user, PASSWORD)


def titles(rows: Any) -> list[tuple[str, int, int]]:
    """(title, version, folder) of rows without a problem. Those with one fail."""
    shown = list(rows)
    assert not [row["problem"] for row in shown if "problem" in row]
    return [(row["title"], row["version"], row["folder"]) for row in shown]


def write_history(chain: ChainNode, patient: Actor, clinic: Clinic) -> tuple[str, str]:
    """Move a blood report of two versions to a named folder, and file a letter. Return both records."""
    blood = upload(patient, data=BLOOD, title="Blood").record
    letter = upload(
        clinic.doctor, patient=patient.address, folder=0, via=clinic.via, data=LETTER, title="Letter"
    )
    number = folders.create_folder(actor=patient, name="Old heart")
    chain.settle()
    upload(patient, data=BLOOD_2, title="Blood", replaces=blood)
    folders.rename_folder(actor=patient, folder=number, name="Heart")
    inbox.file_record(actor=patient, record=letter.record, folder=1)
    chain.settle()
    documents.move_record(actor=patient, record=blood, folder=number)
    chain.settle()
    return blood, letter.record


def test_a_patient_s_records_are_shown_where_they_are_now(
    chain: ChainNode, patient: Actor, clinic: Clinic, opener: Opener, tmp_path: Path
) -> None:
    write_history(chain, patient, clinic)
    account = opener.account(entropy_of(patient))
    assert account.address.hex() == patient.address[2:].lower()
    rows = list(account.records(tmp_path / "out"))
    assert titles(rows) == [("Blood", 1, 2), ("Letter", 1, 1), ("Blood", 2, 2)]
    assert [Path(row["saved"]).read_bytes() for row in rows] == [BLOOD, LETTER, BLOOD_2]
    assert [Path(row["saved"]).relative_to(tmp_path / "out").parts[0] for row in rows] == [
        "Heart",
        "General",
        "Heart",
    ]
    assert not list(account.received_records(None))


def test_a_doctor_s_phrase_opens_what_was_shared_and_nothing_else(
    chain: ChainNode, patient: Actor, clinic: Clinic, opener: Opener, tmp_path: Path
) -> None:
    """A folder of one patient, a record of another, a selection of a third; and a fourth who ended it."""
    entropy = entropy_of(clinic.doctor)
    blood, _ = write_history(chain, patient, clinic)
    other, third, fourth = (make_patient(name) for name in ("Ben", "Chiara", "Nora"))
    chain.settle()
    alone = upload(other, data=SCAN, title="Scan").record
    for one in (other, third, fourth):
        upload(one, data=LETTER, title=f"Of {one.user.name}")
    chain.settle()
    grant(patient, clinic.doctor.address, clinic.via, folders=(1, 2))
    grant(other, clinic.doctor.address, clinic.via, folders=(), records=(alone,))
    select_all(third, clinic.doctor.address, clinic.via)
    (ended,) = grant(fourth, clinic.doctor.address, clinic.via)
    chain.settle()
    revocations.revoke_access(
        actor=fourth, grantee=clinic.doctor.address, via=clinic.via, scope=ended.fields["scope"]
    )
    upload(patient, data=SCAN, title="Since then", folder=2)
    upload(other, data=SCAN, title="Not for the doctor")
    chain.settle()
    account = opener.account(entropy, index=1)
    opened = list(account.received_records(tmp_path))
    owners = {patient.address: "Ada", other.address: "Ben", third.address: "Chiara", fourth.address: "Nora"}
    names = {bytes.fromhex(address[2:]): name for address, name in owners.items()}
    assert sorted((names[owner], row["title"], row["version"]) for owner, row in opened) == [
        ("Ada", "Blood", 1),
        ("Ada", "Blood", 2),
        ("Ada", "Letter", 1),
        ("Ada", "Since then", 1),
        ("Ben", "Scan", 1),
        ("Chiara", "Of Chiara", 1),
    ]
    assert not [row for _, row in opened if "problem" in row]
    assert {Path(row["saved"]).read_bytes() for _, row in opened} == {BLOOD, BLOOD_2, LETTER, SCAN}
    assert {Path(row["saved"]).parts[-3] for owner, row in opened if names[owner] == "Ada"} == {
        "General",
        "Heart",
    }
    assert {grant["terms"]["purpose"] for grant in account.received} == {"PATRQT"}
    assert [event["record"].hex() for event in account.written()] == [_record_of(opened, "Letter")]
    assert blood[2:] in {row["record"].hex() for _, row in opened}


def _record_of(opened: list[tuple[bytes, dict[str, Any]]], title: str) -> str:
    return next(str(row["record"].hex()) for _, row in opened if row["title"] == title)


@pytest.fixture
def former_contract(chain: ChainNode) -> Iterator[Deployment]:
    """The contract that the tests after this one go on with."""
    del chain
    known = note_deployment(deployment())
    yield known
    remember(known)


def test_people_go_on_after_a_succession_and_one_address_opens_both_contracts(
    chain: ChainNode,
    patient: Actor,
    clinic: Clinic,
    opener: Opener,
    former_contract: Deployment,
    tmp_path: Path,
) -> None:
    write_history(chain, patient, clinic)
    (given,) = grant(patient, clinic.doctor.address, clinic.via, folders=(1,))
    chain.settle()
    assert succeed(lambda _: None).address != former_contract.address
    chain.settle()
    upload(patient, data=SCAN, title="Later", folder=1)
    upload(clinic.doctor, patient=patient.address, folder=0, via=clinic.via, data=LETTER, title="Answer")
    chain.settle()
    assert not Act.objects.exclude(state=ActState.CONFIRMED).exists()
    account = opener.account(entropy_of(patient))
    seen = [title for title, _, _ in titles(account.records(tmp_path / "out"))]
    assert sorted(seen) == ["Answer", "Blood", "Blood", "Later", "Letter"]
    doctor = opener.account(entropy_of(clinic.doctor), index=1)
    assert {row["title"] for _, row in doctor.received_records(tmp_path / "doctor")} == {"Later", "Letter"}
    revocations.revoke_access(
        actor=patient, grantee=clinic.doctor.address, via=clinic.via, scope=given.fields["scope"]
    )
    chain.settle()
    assert not list(opener.account(entropy_of(clinic.doctor), index=1).received_records(None))


def test_a_moved_folder_opens_by_the_newest_list(
    chain: ChainNode, patient: Actor, clinic: Clinic, opener: Opener
) -> None:
    """Another doctor's access ends, the folder moves on, and a record comes after it."""
    entropy, passer = entropy_of(clinic.doctor), make_patient("Ben")
    chain.settle()
    upload(patient, data=BLOOD, title="Before")
    for grantee, via in ((clinic.doctor.address, clinic.via), (passer.address, "")):
        grant(patient, grantee, via)
    chain.settle()
    scope = "0x" + (1).to_bytes(32, "big").hex()
    revocations.revoke_access(actor=patient, grantee=passer.address, via="", scope=scope)
    chain.settle()
    run_errands(patient)
    chain.settle()
    upload(patient, data=BLOOD_2, title="After")
    chain.settle()
    opened = [row for _, row in opener.account(entropy, index=1).received_records(None)]
    assert titles(opened) == [("Before", 1, 1), ("After", 1, 1)]
    assert len({row["epoch"] for row in opened}) == 2
    assert not list(opener.account(entropy_of(passer)).received_records(None))


def test_an_institution_s_phrase_opens_what_it_was_granted(
    chain: ChainNode, patient: Actor, clinic: Clinic, opener: Opener
) -> None:
    upload(patient, data=BLOOD, title="Blood")
    grant(patient, clinic.via, clinic.via)
    chain.settle()
    account = opener.account(open_entropy(clinic.manager, clinic.institution))
    assert titles(row for _, row in account.received_records(None)) == [("Blood", 1, 1)]


def test_a_doctor_who_has_left_opens_nothing(
    chain: ChainNode, patient: Actor, clinic: Clinic, opener: Opener
) -> None:
    upload(patient, data=BLOOD, title="Blood")
    grant(patient, clinic.doctor.address, clinic.via)
    chain.settle()
    account = opener.account(entropy_of(clinic.doctor), index=1)
    assert len(list(account.received_records(None))) == 1
    affiliations.leave_institution(actor=clinic.doctor, institution=clinic.institution)
    chain.settle()
    account = opener.account(entropy_of(clinic.doctor), index=1)
    assert not list(account.received_records(None))
    assert [grant["state"][:12] for grant in account.received] == ["not in force"]


def test_requests_are_told_with_their_terms_and_what_became_of_them(
    chain: ChainNode, patient: Actor, clinic: Clinic, opener: Opener
) -> None:
    wanted: dict[str, Any] = {
        "kinds": [],
        "permissions": "read",
        "days": 9,
        "via": clinic.via,
        "patient": patient.address,
    }
    notes = ("for the operation", "no longer needed", "why not?", "still open")
    for note, answer in zip(notes, ("grant", "withdraw", "deny", ""), strict=True):
        view = requests.request_access(actor=clinic.doctor, purpose="TREAT", note=note, **wanted)
        chain.settle()
        if answer == "grant":
            grant(patient, clinic.doctor.address, clinic.via, request=view.id)
        elif answer == "withdraw":
            requests.withdraw_request(actor=clinic.doctor, request=view.id)
        elif answer == "deny":
            requests.deny_request(actor=patient, request=view.id, reason="I am well")
        chain.settle()
    expected = [(notes[0], "granted", ""), (notes[1], "withdrawn", ""), (notes[2], "denied", "I am well")]
    for actor, index in ((clinic.doctor, 1), (patient, 0)):
        rows = opener.account(entropy_of(actor), index=index).requests()
        told = [(row["terms"]["note"], row["state"], row.get("reason", "")) for row in rows]
        assert told == [*expected, (notes[3], "open", "")]


def test_after_keys_were_replaced_each_phrase_says_what_it_opens(
    chain: ChainNode, patient: Actor, opener: Opener
) -> None:
    """The old phrase finds the account and what it opens, the new one finds the account, both open all."""
    upload(patient, data=BLOOD, title="Before")
    chain.settle()
    old, new = entropy_of(patient), new_entropy()
    key = SharingKey(sharing_seed(new, 0, 1, 2))
    signer = address_of(signing_key(new, 0))
    act = prepare_act(
        "ReplaceKeys",
        author=patient.address,
        generation=1,
        signer=signer,
        key=key.public,
        envelopes=bytes(32),
    )
    submit_act(sign_act(act, signing_key(old, 0)))
    chain.settle()
    before = opener.account(old)
    assert titles(before.records(None)) == [("Before", 1, 1)]
    assert "a phrase from before" in before.notes[-1]
    after = opener.account(new)
    assert after.address == before.address
    assert ["problem" in row for row in after.records(None)] == [True]
    assert "another --phrase-file" in after.notes[-1]
    both = opener.account(new, old)
    assert titles(both.records(None)) == [("Before", 1, 1)]
    assert len(both.notes) == 1


def test_a_foreign_phrase_is_told_so(chain: ChainNode, opener: Opener) -> None:
    del chain
    with pytest.raises(Refused, match="no account of this contract has this phrase"):
        opener.account(new_entropy())


class Refusing:
    """A node that refuses one call in seven in turning ways, and ranges of more blocks than `most`."""

    def __init__(self, node: str, most: int) -> None:
        self.node, self.most, self.calls, self.refused = node, most, 0, 0
        self.spans: list[int] = []
        self._lock = threading.Lock()

    def answer(self, call: dict[str, Any]) -> tuple[int, bytes] | None:
        """Status and body. None: the connection is cut."""
        with self._lock:
            self.calls += 1
            if self.calls % 7 == 0:
                self.refused += 1
                error = {"code": -32005, "message": "limit exceeded"}
                says = json.dumps({"jsonrpc": "2.0", "id": call["id"], "error": error}).encode()
                return [(429, b"slow down"), (200, says), (503, b""), None][self.refused % 4]
        if call["method"] == "eth_getLogs":
            blocks = call["params"][0]
            span = int(blocks["toBlock"], 16) - int(blocks["fromBlock"], 16) + 1
            self.spans.append(span)
            if span > self.most:
                error = {"code": -32602, "message": f"at most {self.most} blocks"}
                return 200, json.dumps({"jsonrpc": "2.0", "id": call["id"], "error": error}).encode()
        asked = Request(self.node, json.dumps(call).encode(), {"Content-Type": "application/json"})
        with urlopen(asked) as body:
            return 200, body.read()


@contextmanager
def refusing(node: str, most: int) -> Iterator[tuple[str, Refusing]]:
    """The address of such a node before a real one."""
    behind = Refusing(node, most)

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            answer = behind.answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            if answer is None:
                self.close_connection = True
                return
            self.send_response(answer[0])
            self.send_header("Content-Length", str(len(answer[1])))
            self.end_headers()
            self.wfile.write(answer[1])

        def log_message(self, format: str, *args: Any) -> None:
            del format, args

    with ThreadingHTTPServer(("127.0.0.1", 0), Door) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", behind
        server.shutdown()


def test_a_node_that_refuses_one_call_in_seven_gives_the_same(
    chain: ChainNode, patient: Actor, clinic: Clinic, opener: Opener
) -> None:
    write_history(chain, patient, clinic)
    chain.mine(1000)
    entropy = entropy_of(patient)
    straight = opener.account(entropy)
    with refusing(chain.url, most=100) as (url, node):
        account = opener.account(entropy, url=url)
        assert account.events == straight.events
        assert list(account.records(None)) == list(straight.records(None))
    assert node.refused > 3
    head = int(chain.rpc("eth_blockNumber"), 16)
    needed = 2 * -(
        -head // 64
    )  # two questions, by ranges of 64 blocks: the power of two that the node allows
    assert node.calls < 2 * needed + 100, f"{node.calls} calls for {needed} ranges"


def test_ranges_grow_again_when_the_node_was_only_busy(
    opener: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that cannot say anything for the first twenty questions of a chain of a million blocks."""
    spans: list[int] = []

    def once(node: Node, method: str, *params: Any) -> Any:
        del node
        if method == "eth_blockNumber":
            return hex(1_000_000)
        if method == "eth_getStorageAt":
            return "0x0"  # a first contract
        spans.append(int(params[0]["toBlock"], 16) - int(params[0]["fromBlock"], 16) + 1)
        if len(spans) <= 20:
            raise Refused("busy")
        return []

    monkeypatch.setattr(open_chain.Node, "_once", once)
    assert not list(Node(opener.url).events("0x", [None]))
    assert min(spans) < 100
    assert len(spans) < 100
    assert max(spans[20:]) > 10_000
