"""Many rows beside a few real ones, as the projection has them: records, grants, patients, doctors."""

import secrets
from datetime import date, timedelta

from django.utils import timezone

from accounts.actor import Actor
from accounts.models import Account, Affiliation, Institution, Membership, User
from chain.contract.slots import folder_scope
from chain.models.bulk import insert_rows
from records.chain_words import raw, word
from records.content import digest_of
from records.crypto.description import Description, seal_description
from records.crypto.envelopes import Purpose
from records.crypto.mdr1 import ciphertext_size
from records.crypto.payloads import RecordPayload, Terms
from records.kinds import KINDS
from records.models import Blob, Envelope, EnvelopeList, Grant, Record, Version
from records.services.envelopes import ListAbout, keep_list, seal_list
from records.services.epochs import current_epoch
from records.services.keyring import Keyring
from records.services.writing import Place, secret_for

TERMS = Terms(purpose="treatment", kinds=(), permissions=3)


def address(number: int) -> str:
    """An address that nobody has."""
    return f"0x{number:040x}"


def write_records(actor: Actor, count: int) -> dict[str, bytes]:
    """Confirmed records of a patient over ten years, with real descriptions. Return the data key of each."""
    keyring, kinds, now = Keyring(actor, actor.address), list(KINDS), timezone.now()
    place = Place(1, current_epoch(actor.address, 1))
    records, versions, blobs, keys = [], [], [], {}
    for number in range(count):
        record, key = word(secrets.token_bytes(32)), secrets.token_bytes(32)
        description = Description(
            title=f"Number {number} of many",
            kind=kinds[number % len(kinds)],
            service_date=date(2016, 1, 1) + timedelta(days=number * 9 // 5),
            file_name=f"{number}.pdf",
            media_type="application/pdf",
            size=1000,
            sha256=bytes(32),
            content_key=bytes(32),
            content_salt=bytes(32),
            content_length=ciphertext_size(1000),
        )
        sealed = seal_description(key, raw(record), description)
        secret = secret_for(keyring, record=record, place=place, data_key=key).hex
        where = {"author": actor.address, "folder": place.folder, "epoch": place.epoch, "block_number": 1}
        records.append(Record(record=record, patient=actor.address, nonce=record, created_at=now, **where))
        named = {"content": word(bytes(32)), "description": digest_of(sealed), "secret": secret}
        versions.append(Version(record_id=record, version=1, at=now, tx_hash=record, **where, **named))
        blobs.append(Blob(digest=named["description"], data=sealed, state=Blob.State.STORED))
        keys[record] = key
    Blob.objects.bulk_create(blobs)
    Record.objects.bulk_create(records)
    Version.objects.bulk_create(versions)
    return keys


def give_records(patient: Actor, doctor: Actor, via: str, keys: dict[str, bytes]) -> None:
    """Grants of single records to a doctor, each with an envelope that opens."""
    rows = []
    for record, key in keys.items():
        about = ListAbout(Purpose.RECORD, patient.address, patient.address, record)
        payload = RecordPayload(key, TERMS).to_bytes()
        digest = keep_list(seal_list(patient.origin, about, payload, [doctor.own_public_key]))
        rows.append(grant_row(patient.address, doctor.address, via, record, digest))
    Blob.objects.filter(state=Blob.State.HELD).update(state=Blob.State.STORED)
    insert_rows(rows)


def grant_row(patient: str, grantee: str, via: str, scope: str, envelopes: str = "") -> Grant:
    """A grant in force."""
    now = timezone.now()
    return Grant(
        patient=patient,
        grantee=grantee,
        via=via,
        scope=scope,
        permissions=3,
        not_before=now - timedelta(days=1),
        expiry=now + timedelta(days=30),
        envelopes=envelopes,
        serial=1,
        affiliation_serial=1,
        granted_at=now,
        block_number=1,
    )


def add_patients(doctor: Actor, via: str, count: int) -> None:
    """Patients of this portal who share a folder with the doctor. Its envelopes are damaged."""
    people = [User(email=f"mass{n}@patients.example", name=f"Mass {n:05}") for n in range(count)]
    User.objects.bulk_create(people)
    places = [address(2**80 + n) for n in range(count)]
    Account.objects.bulk_create(
        Account(address=place, kind="patient", user=user, index=0, generation=0, key_version=1)
        for place, user in zip(places, people, strict=True)
    )
    scope, digests = folder_scope(1), [word(secrets.token_bytes(32)) for _ in range(count)]
    insert_rows(
        grant_row(place, doctor.address, via, scope, digest)
        for place, digest in zip(places, digests, strict=True)
    )
    EnvelopeList.objects.bulk_create(
        EnvelopeList(digest=digest, purpose=Purpose.FOLDER, sender=place, patient=place, scope=scope, epoch=0)
        for place, digest in zip(places, digests, strict=True)
    )
    key = doctor.own_public_key.digest
    rows = EnvelopeList.objects.filter(digest__in=digests)
    Envelope.objects.bulk_create(
        Envelope(list=row, recipient=doctor.address, key_digest=key, digest=row.digest) for row in rows
    )
    Blob.objects.bulk_create(Blob(digest=digest, data=b"damaged", state="stored") for digest in digests)


def give_to_doctors(patient: Actor, institution: Institution, count: int) -> None:
    """Grants of the patient's first folder to as many doctors of the institution."""
    scope = folder_scope(1)
    about = ListAbout(Purpose.FOLDER, patient.address, patient.address, scope)
    sealed = keep_list(seal_list(patient.origin, about, b"", [patient.own_public_key]))
    doctors = add_doctors(institution, count)
    insert_rows(grant_row(patient.address, doctor, institution.address, scope, sealed) for doctor in doctors)


def add_doctors(institution: Institution, count: int) -> list[str]:
    """Doctors of an institution, affiliated, with keys. Return their addresses."""
    start = User.objects.count()
    people = [User(email=f"mass{start + n}@doctors.example", name=f"Doctor {n:05}") for n in range(count)]
    User.objects.bulk_create(people)
    accounts = Account.objects.bulk_create(
        Account(address=address(2**70 + start + n), kind="practitioner", user=user, index=1)
        for n, user in enumerate(people)
    )
    Membership.objects.bulk_create(
        Membership(institution=institution, user=account.user, account=account, role="doctor")
        for account in accounts
    )
    insert_rows(
        Affiliation(
            institution=institution.address,
            doctor=account.address,
            affiliated=True,
            serial=1,
            block_number=1,
        )
        for account in accounts
    )
    return [account.address for account in accounts]
