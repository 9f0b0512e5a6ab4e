"""Gas of the contract's acts, from receipts on a node of its own. Run as `python -m tests.bench.gas`.

Direct acts are sent by their author. Relayed ones go twenty to a transaction, each by another patient, and
share what the transaction costs. Every patient is new to the contract, as most are to a folder or a doctor.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from web3 import HTTPProvider, Web3
from web3.logs import DISCARD
from web3.types import TxReceipt

from chain.localchain.node import Anvil

ARTIFACT = Path(__file__).parents[2] / "chain" / "contracts" / "artifact.json"
CREATE2_FACTORY = Web3.to_checksum_address("0x4e59b44847b379578588920ca78fbf26c0b4956c")
CHAIN_ID = 31_337
NOBODY = "0x" + "00" * 20
EXPIRY = 4_000_000_000
BATCH = 20
HISTORY = 1_000

LIMITS = {
    "gas_new_record": 62_000,
    "gas_new_record_relayed20": 51_000,
    "gas_new_record_via": 75_000,
    "gas_new_record_inbox": 67_000,
    "gas_modify": 46_000,
    "gas_grant": 62_000,
    "gas_grant_relayed20": 50_000,
    "gas_revoke": 37_000,
    "gas_revoke_relayed20": 26_000,
    "gas_request": 60_000,
    "gas_history_growth_ratio": 1.01,
}

Fields = dict[str, Any]


def scope_of(folder: int) -> bytes:
    """A folder as a grant's scope."""
    return folder.to_bytes(32)


@dataclass
class Bench:
    """The contract on a fresh node, with an admission key and an endless supply of people who can pay."""

    node: Web3
    artifact: dict[str, Any]
    people: Iterator[int] = field(default_factory=lambda: count(1))
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.admission = self.person()
        self.contract = self.node.eth.contract(self._deploy(), abi=self.artifact["abi"])
        self.structs = {
            entry["inputs"][0]["internalType"].split(".")[-1]: (
                entry["name"],
                entry["inputs"][0]["components"],
            )
            for entry in self.artifact["abi"]
            if entry["type"] == "function" and entry["inputs"] and entry["inputs"][0]["type"] == "tuple"
        }

    def _deploy(self) -> Any:
        """Through the CREATE2 factory, which answers with the address."""
        deployer = self.person()
        arguments = (deployer.address, self.admission.address, deployer.address, 0, NOBODY)
        factory = self.node.eth.contract(abi=self.artifact["abi"], bytecode=self.artifact["bytecode"])
        code = self.node.to_bytes(hexstr=factory.constructor(*arguments).data_in_transaction)
        call: Any = {"from": deployer.address, "to": CREATE2_FACTORY, "data": bytes(32) + code}
        address = self.node.to_checksum_address(self.node.eth.call(call))
        self.send(deployer, CREATE2_FACTORY, call["data"])
        return address

    def person(self) -> LocalAccount:
        """Somebody new, with ether for direct transactions."""
        account: LocalAccount = Account.from_key(Web3.keccak(text=f"person {next(self.people)}"))
        self.node.provider.make_request("anvil_setBalance", [account.address, hex(10**20)])  # type: ignore[arg-type]
        return account

    def people_of(self, number: int) -> list[LocalAccount]:
        """Several new people."""
        return [self.person() for _ in range(number)]

    def digest(self) -> bytes:
        """32 bytes like a digest's or a nonce's: none of them zero."""
        return Web3.keccak(text=f"digest {next(self.numbers)}").replace(b"\0", b"\1")

    def send(self, sender: LocalAccount, to: Any, data: bytes) -> TxReceipt:
        """Send a transaction and take its receipt. It must succeed."""
        fields = {"to": to, "data": data, "gas": 16_000_000, "chainId": CHAIN_ID, "maxPriorityFeePerGas": 0}
        fields |= {
            "nonce": self.node.eth.get_transaction_count(sender.address),
            "maxFeePerGas": 10**10,
        }
        sent = self.node.eth.send_raw_transaction(sender.sign_transaction(fields).raw_transaction)
        receipt = self.node.eth.wait_for_transaction_receipt(sent, poll_latency=0.002)
        if receipt["status"] != 1:
            raise RuntimeError(f"a transaction was refused: {receipt}")
        return receipt

    def calldata(self, kind: str, act: Fields, signature: bytes = b"") -> bytes:
        """An act function's whole calldata."""
        name, members = self.structs[kind]
        values = tuple(act[member["name"]] for member in members)
        return self.node.to_bytes(hexstr=self.contract.encode_abi(name, [values, signature]))

    def signed(self, kind: str, author: LocalAccount, act: Fields) -> bytes:
        """Calldata with the author's EIP-712 signature. The type comes from the ABI."""
        members = [{"name": m["name"], "type": m["type"]} for m in self.structs[kind][1]]
        domain = {"name": "MedRec", "version": "1", "chainId": CHAIN_ID}
        domain["verifyingContract"] = self.contract.address
        message = {"author": author.address} | act
        signature = author.sign_typed_data(domain, {kind: members}, message).signature
        return self.calldata(kind, message, bytes(signature))

    def direct(self, kind: str, author: LocalAccount, **act: Any) -> int:
        """Gas of an act that its author sends."""
        data = self.calldata(kind, {"author": author.address} | act)
        return self.send(author, self.contract.address, data)["gasUsed"]

    def relayed(self, calls: list[bytes]) -> float:
        """Gas for each act of a relayed batch, every one of them done."""
        data = self.node.to_bytes(hexstr=self.contract.encode_abi("relay", [calls]))
        receipt = self.send(self.admission, self.contract.address, data)
        refusals = self.contract.events.ActRefused().process_receipt(receipt, errors=DISCARD)
        if len(receipt["logs"]) != len(calls) or refusals:
            raise RuntimeError("a relayed act was refused")
        return receipt["gasUsed"] / len(calls)

    def record(self, patient: LocalAccount, *, via: str = NOBODY, folder: int = 1) -> Fields:
        """A new record's fields, with a wrapped secret, or in the inbox a list's digest."""
        fields = {"patient": patient.address, "via": via, "folder": folder, "epoch": 0, "flags": 0}
        fields |= {name: self.digest() for name in ("nonce", "content", "description")}
        return fields | {"secret": (self.digest() * 2)[: 40 if folder else 32]}

    def grant(self, grantee: str, *, via: str, request: bytes = bytes(32)) -> Fields:
        """Reading and writing folder 1 through an institution."""
        times = {"notBefore": 1_700_000_000, "expiry": EXPIRY}
        fields = {
            "grantee": grantee,
            "via": via,
            "scope": scope_of(1),
            "permissions": 3,
            "epoch": 0,
            "serial": 1,
        }
        return fields | times | {"envelopes": self.digest(), "request": request}

    def ask(self, doctor: LocalAccount, patient: LocalAccount, via: str) -> tuple[bytes, int]:
        """A doctor's request: its id and its gas."""
        nonce = self.digest()
        gas = self.direct(
            "RequestAccess", doctor, patient=patient.address, via=via, nonce=nonce, envelopes=self.digest()
        )
        return Web3.solidity_keccak(["address", "bytes32"], [doctor.address, nonce]), gas


@dataclass(frozen=True)
class Clinic:
    """An admitted institution and a doctor affiliated with it."""

    account: LocalAccount
    doctor: LocalAccount

    @property
    def address(self) -> str:
        """The institution's address."""
        return str(self.account.address)


def open_clinic(bench: Bench) -> Clinic:
    """Admit an institution, and affiliate a doctor."""
    clinic = Clinic(bench.person(), bench.person())
    bench.direct("AdmitInstitution", bench.admission, institution=clinic.address, admitted=True, serial=1)
    bench.direct("AffiliateDoctor", clinic.account, doctor=clinic.doctor.address, affiliated=True, serial=1)
    return clinic


def measure_records(bench: Bench, clinic: Clinic) -> dict[str, float]:
    """New records by the patient, by a doctor, into the inbox, in a batch, and a modification."""
    patient = bench.person()
    fields = bench.record(patient)
    gas: dict[str, float] = {"gas_new_record": bench.direct("NewRecord", patient, **fields)}
    record = Web3.solidity_keccak(["address", "bytes32"], [patient.address, fields.pop("nonce")])
    gas["gas_modify"] = bench.direct("ModifyRecord", patient, record=record, version=2, **fields)
    bench.direct("GrantAccess", patient, **bench.grant(clinic.address, via=clinic.address))
    by_doctor = bench.record(patient, via=clinic.address)
    gas["gas_new_record_via"] = bench.direct("NewRecord", clinic.doctor, **by_doctor)
    into_inbox = bench.record(bench.person(), via=clinic.address, folder=0)
    gas["gas_new_record_inbox"] = bench.direct("NewRecord", clinic.doctor, **into_inbox)
    batch = [bench.signed("NewRecord", each, bench.record(each)) for each in bench.people_of(BATCH)]
    return gas | {"gas_new_record_relayed20": bench.relayed(batch)}


def measure_consent(bench: Bench, clinic: Clinic) -> dict[str, float]:
    """A request, the grant that answers it, the revoke that ends it; grants and revokes in a batch."""
    patient, doctor = bench.person(), clinic.doctor
    request, asked = bench.ask(doctor, patient, clinic.address)
    grant = bench.grant(doctor.address, via=clinic.address, request=request)
    gas: dict[str, float] = {"gas_request": asked, "gas_grant": bench.direct("GrantAccess", patient, **grant)}
    revoke = {name: grant[name] for name in ("grantee", "via", "scope")} | {"serial": 2}
    gas["gas_revoke"] = bench.direct("RevokeAccess", patient, **revoke)
    people = bench.people_of(BATCH)
    requests = [bench.ask(doctor, each, clinic.address)[0] for each in people]
    grants = [bench.grant(doctor.address, via=clinic.address, request=each) for each in requests]
    calls = [bench.signed("GrantAccess", who, act) for who, act in zip(people, grants, strict=True)]
    gas["gas_grant_relayed20"] = bench.relayed(calls)
    gas["gas_revoke_relayed20"] = bench.relayed([bench.signed("RevokeAccess", who, revoke) for who in people])
    return gas


def measure_growth(bench: Bench) -> float:
    """The dearest over the cheapest of a patient's 2nd, 100th and 1,000th new record."""
    patient = bench.person()
    measured = []
    held = 0
    for target in (1, 100, HISTORY):
        while held < target:
            calls = [
                bench.signed("NewRecord", patient, bench.record(patient))
                for _ in range(min(99, target - held))
            ]
            bench.relayed(calls)
            held += len(calls)
        measured.append(bench.direct("NewRecord", patient, **bench.record(patient)))
        held += 1
    return max(measured) / min(measured)


def measure() -> dict[str, float]:
    """Gas by name, as in LIMITS, and that of publishing a sharing key, which has no limit."""
    with Anvil(chain_id=CHAIN_ID) as anvil:
        bench = Bench(Web3(HTTPProvider(anvil.url)), json.loads(ARTIFACT.read_text()))
        clinic = open_clinic(bench)
        key = bench.digest() * 39
        published = bench.direct("PublishKey", bench.person(), version=1, key=key[:1217])
        gas = measure_records(bench, clinic) | measure_consent(bench, clinic)
        return gas | {"gas_publish_key": published, "gas_history_growth_ratio": measure_growth(bench)}


def main() -> int:
    """Print every figure beside its limit. 1 if one is over."""
    figures = measure()
    for name, value in figures.items():
        limit = LIMITS.get(name)
        print(f"{name:28}{value:>12,.2f}" + (f"  of {limit:,}" if limit else ""))
    return int(any(figures[name] > limit for name, limit in LIMITS.items()))


if __name__ == "__main__":
    raise SystemExit(main())
