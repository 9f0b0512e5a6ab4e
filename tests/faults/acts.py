"""Acts that flow: stories of fresh patients, in every kind that people do day by day."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from chain.acts.messages import ZERO_ADDRESS, SignedAct, folder_scope, prepare_act, record_id, sign_act
from chain.keys import portal_keys
from chain.keys.ecdsa import address_of_key

_NO_WORD = bytes(32)
_KEY_BYTES = 1217
_SOON, _LATE = 1, 4_000_000_000  # unix seconds: the contract's grants of a test never run out


class Signer:
    """An account and the key that signs for it now."""

    def __init__(self, key: bytes) -> None:
        self.address = address_of_key(key)
        self.key = key

    def act(self, kind: str, **fields: Any) -> SignedAct:
        """A signed act by this account."""
        return sign_act(prepare_act(kind, author=self.address, **fields), self.key)


@dataclass(frozen=True)
class Clinic:
    """An institution with a doctor: whoever has the seed has both."""

    institution: Signer
    doctor: Signer

    @classmethod
    def of_seed(cls, seed: int) -> "Clinic":
        """The clinic of a scenario."""
        random = Random(seed)
        return cls(Signer(random.randbytes(32)), Signer(random.randbytes(32)))

    def opening(self) -> list[SignedAct]:
        """Admitted, and the doctor affiliated."""
        admission = Signer(portal_keys.admission_key())
        institution, doctor = self.institution.address, self.doctor.address
        return [
            admission.act("AdmitInstitution", institution=institution, admitted=True, serial=1),
            self.institution.act("AffiliateDoctor", doctor=doctor, affiliated=True, serial=1),
        ]


def acts(random: Random, clinic: Clinic) -> Iterator[SignedAct]:
    """Stories without end, one patient after the other."""
    while True:
        yield from Story(random, clinic).tell()


class Story:
    """One patient: keys, folders, records, requests, grants and what takes them back."""

    def __init__(self, random: Random, clinic: Clinic) -> None:
        self._random, self._clinic = random, clinic
        self._patient, self._friend = Signer(random.randbytes(32)), Signer(random.randbytes(32))
        self._epoch = 0

    def tell(self) -> Iterator[SignedAct]:
        """Every act in the order in which it may be signed."""
        yield self._patient.act("PublishKey", version=1, key=self._random.randbytes(_KEY_BYTES))
        yield self._patient.act("NameFolder", folder=1, name=self._word(), serial=1)
        yield from self._records()
        yield self._grant(self._friend, serial=1)
        chapters = [self._answered_request, self._refused_request, self._moved_folder, self._blocked_sender]
        self._random.shuffle(chapters)
        for chapter in chapters:
            yield from chapter()
        yield from self._taken_back()
        if self._random.random() < 0.5:
            yield from self._new_keys()

    def _word(self) -> bytes:
        return self._random.randbytes(32)

    def _record(self, author: Signer, nonce: bytes, *, folder: int = 1, via: str = ZERO_ADDRESS) -> SignedAct:
        return author.act(
            "NewRecord",
            patient=self._patient.address,
            via=via,
            folder=folder,
            epoch=self._epoch if folder else 0,
            flags=0,
            nonce=nonce,
            content=self._word(),
            description=self._word(),
            secret=self._random.randbytes(40 if folder else 32),
        )

    def _records(self) -> Iterator[SignedAct]:
        nonce = self._word()
        record = record_id(self._patient.address, "0x" + nonce.hex())
        yield self._record(self._patient, nonce)
        yield self._patient.act(
            "ModifyRecord",
            patient=self._patient.address,
            via=ZERO_ADDRESS,
            record=record,
            folder=1,
            epoch=self._epoch,
            version=2,
            flags=0,
            content=self._word(),
            description=self._word(),
            secret=self._random.randbytes(40),
        )
        if self._random.random() < 0.3:
            yield self._patient.act(
                "CloseRecord", patient=self._patient.address, record=record, nonce=_NO_WORD, reason=2
            )

    def _grant(self, to: Signer, *, serial: int, via: str = ZERO_ADDRESS, request: str = "") -> SignedAct:
        return self._patient.act(
            "GrantAccess",
            grantee=to.address,
            via=via,
            scope=folder_scope(1),
            permissions=3,
            notBefore=_SOON,
            expiry=_LATE,
            epoch=self._epoch,
            envelopes=self._word(),
            request=request or _NO_WORD,
            serial=serial,
        )

    def _request(self) -> tuple[SignedAct, str, bytes]:
        doctor, nonce = self._clinic.doctor, self._word()
        act = doctor.act(
            "RequestAccess",
            patient=self._patient.address,
            via=self._clinic.institution.address,
            nonce=nonce,
            envelopes=self._word(),
        )
        return act, record_id(doctor.address, "0x" + nonce.hex()), nonce

    def _answered_request(self) -> Iterator[SignedAct]:
        """Asked, granted, and the doctor writes into the folder and the inbox."""
        asked, request, _ = self._request()
        via = self._clinic.institution.address
        yield asked
        yield self._grant(self._clinic.doctor, serial=1, via=via, request=request)
        yield self._record(self._clinic.doctor, self._word(), via=via)
        yield self._record(self._clinic.doctor, self._word(), folder=0, via=via)

    def _refused_request(self) -> Iterator[SignedAct]:
        """Asked twice: withdrawn, and denied."""
        asked, request, nonce = self._request()
        yield asked
        yield self._clinic.doctor.act(
            "WithdrawRequest", patient=self._patient.address, request=request, nonce=nonce
        )
        asked, request, _ = self._request()
        yield asked
        yield self._patient.act("DenyAccess", request=request, reason=self._word())

    def _moved_folder(self) -> Iterator[SignedAct]:
        """To the next epoch, and a record there."""
        yield self._patient.act(
            "RekeyFolder", folder=1, fromEpoch=self._epoch, toEpoch=self._epoch + 1, envelopes=self._word()
        )
        self._epoch += 1
        yield self._record(self._patient, self._word())

    def _blocked_sender(self) -> Iterator[SignedAct]:
        yield self._patient.act("BlockSender", sender=self._friend.address, blocked=True, serial=1)
        yield self._patient.act("BlockSender", sender=self._friend.address, blocked=False, serial=2)

    def _taken_back(self) -> Iterator[SignedAct]:
        """The friend's grant ends: given up, or revoked and given anew."""
        if self._random.random() < 0.4:
            yield self._friend.act(
                "GiveUpAccess",
                patient=self._patient.address,
                via=ZERO_ADDRESS,
                scope=folder_scope(1),
                serial=1,
            )
            return
        yield self._patient.act(
            "RevokeAccess", grantee=self._friend.address, via=ZERO_ADDRESS, scope=folder_scope(1), serial=2
        )
        yield self._grant(self._friend, serial=3)

    def _new_keys(self) -> Iterator[SignedAct]:
        """A new signer, who signs what follows."""
        key = self._random.randbytes(32)
        yield self._patient.act(
            "ReplaceKeys",
            generation=1,
            signer=address_of_key(key),
            key=self._random.randbytes(_KEY_BYTES),
            envelopes=self._word(),
        )
        self._patient.key = key
        self._epoch = 1 << 16
        yield self._record(self._patient, self._word())
