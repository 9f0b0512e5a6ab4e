"""A short history in which every kind of act happens, and the tables that the chain alone writes."""

import secrets

from chain.acts.messages import ZERO_ADDRESS, folder_scope, prepare_act, record_id, sign_act
from chain.contract.slots import slot_log
from chain.keys import portal_keys
from chain.keys.ecdsa import address_of_key
from chain.models import Act, Block
from chain.outbox.submit import next_number, submit_act
from tests.chain_node import ChainNode, Person, fresh_person
from tests.faults.judge import dump

KEY = bytes([1]) + bytes(1216)
Tables = dict[str, list[str]]


class Cast:
    """An institution, its doctor, a patient and the patient's friend."""

    def __init__(self) -> None:
        self.institution, self.doctor = fresh_person(), fresh_person()
        self.patient, self.friend = fresh_person(), fresh_person()
        self.record = ""

    def open_up(self, chain: ChainNode) -> None:
        """Admitted, affiliated, keys published. A folder with a record that has three versions."""
        chain.admit(self.institution.address)
        chain.affiliate(self.institution, self.doctor.address)
        for person in (self.institution, self.doctor, self.patient):
            person.submit("PublishKey", version=1, key=KEY)
        self.patient.submit("NameRecovery", recovery=self.friend.address, serial=1)
        self.patient.submit("NameFolder", folder=1, name=secrets.token_bytes(32), serial=1)
        added = chain.new_record(self.patient)
        self.record = record_id(self.patient.address, added.fields["nonce"])
        for version in (2, 3):
            self.modify(version)
        self.patient.submit("BlockSender", sender=self.friend.address, blocked=True, serial=1)

    def modify(self, version: int) -> Act:
        """The record's next version, in another folder."""
        return self.patient.submit(
            "ModifyRecord",
            patient=self.patient.address,
            via=ZERO_ADDRESS,
            record=self.record,
            folder=version,
            epoch=0,
            version=version,
            flags=0,
            content=secrets.token_bytes(32),
            description=secrets.token_bytes(32),
            secret=secrets.token_bytes(40),
        )

    def share(self) -> None:
        """Three requests, one answered, one denied, one withdrawn; grants of every kind, two ended."""
        answered, denied, withdrawn = self.ask(), self.ask(), self.ask()
        self.patient.submit("DenyAccess", request=self.request_id(denied), reason=secrets.token_bytes(32))
        self.doctor.submit(
            "WithdrawRequest",
            patient=self.patient.address,
            request=self.request_id(withdrawn),
            nonce=withdrawn.fields["nonce"],
        )
        via = self.institution.address
        self.grant(self.doctor, 1, via=via, request=self.request_id(answered))
        self.grant(self.institution, 1, via=via)
        self.grant(self.friend, 1)
        self.grant(self.friend, 2, permissions=3)
        self.revoke(self.friend, 3)
        self.grant(self.friend, 4)
        self.friend.submit(
            "GiveUpAccess",
            patient=self.patient.address,
            via=ZERO_ADDRESS,
            scope=folder_scope(1),
            serial=4,
        )

    def part(self) -> None:
        """A folder moves on, the doctor leaves, the record is closed, the patient's keys are replaced."""
        self.revoke(self.institution, 2, via=self.institution.address)
        self.patient.submit(
            "RekeyFolder", folder=1, fromEpoch=0, toEpoch=1, envelopes=secrets.token_bytes(32)
        )
        self.doctor.submit("LeaveInstitution", institution=self.institution.address, serial=2)
        self.patient.submit(
            "CloseRecord", patient=self.patient.address, record=self.record, nonce=bytes(32), reason=2
        )
        _anchor()
        self.patient.submit(
            "ReplaceKeys",
            generation=1,
            signer=fresh_person().address,
            key=KEY,
            envelopes=secrets.token_bytes(32),
        )

    def ask(self) -> Act:
        """A request of the doctor's."""
        return self.doctor.submit(
            "RequestAccess",
            patient=self.patient.address,
            via=self.institution.address,
            nonce=secrets.token_bytes(32),
            envelopes=secrets.token_bytes(32),
        )

    def request_id(self, request: Act) -> str:
        """The id that the chain gives a request."""
        return record_id(self.doctor.address, request.fields["nonce"])

    def grant(
        self,
        grantee: Person,
        serial: int,
        *,
        via: str = ZERO_ADDRESS,
        request: str = "0x" + "0" * 64,
        permissions: int = 1,
    ) -> Act:
        """A grant of folder 1."""
        return self.patient.submit(
            "GrantAccess",
            grantee=grantee.address,
            via=via,
            scope=folder_scope(1),
            permissions=permissions,
            notBefore=0,
            expiry=2_000_000_000 + serial,
            epoch=0,
            envelopes=secrets.token_bytes(32),
            request=request,
            serial=serial,
        )

    def revoke(self, grantee: Person, serial: int, *, via: str = ZERO_ADDRESS) -> Act:
        """The end of such a grant."""
        return self.patient.submit(
            "RevokeAccess", grantee=grantee.address, via=via, scope=folder_scope(1), serial=serial
        )


def _anchor() -> None:
    key, log = portal_keys.anchor_key(), "0x" + secrets.token_hex(32)
    author = address_of_key(key)
    size = next_number(slot_log(author, log))
    fields = {"author": author, "log": log, "size": size, "root": secrets.token_bytes(32)}
    submit_act(sign_act(prepare_act("AnchorLog", **fields), key))


def tell(chain: ChainNode) -> Cast:
    """Every kind of act, on the chain and applied."""
    cast = Cast()
    cast.open_up(chain)
    chain.settle()
    cast.share()
    chain.settle()
    cast.part()
    chain.settle()
    return cast


def tables() -> Tables:
    """The archive, every projection and the outbox, in words. Without the keys that a database makes up."""
    return dump() | {
        "blocks": sorted(f"{row.number} {row.hash} {row.time}" for row in Block.objects.all()),
        "acts": sorted(_act(row) for row in Act.objects.all()),
    }


def _act(row: Act) -> str:
    columns = [field.attname for field in row._meta.concrete_fields]
    kept = [
        f"{name}={getattr(row, name)!r}" for name in columns if name not in ("event_id", "transaction_id")
    ]
    place = (row.event.block_hash, row.event.log_index, row.event.act_digest) if row.event else None
    return f"{' '.join(kept)} {place}"
