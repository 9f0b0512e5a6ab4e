"""Slots: the places on the chain that acts take, and which acts come before which.

A slot and a number (serial, version, epoch; 1 for what happens once) name the state an act makes. Two acts
that want the same number of one slot cannot both be right, so the outbox reserves it.
"""

from typing import Any

from eth_utils.crypto import keccak

ZERO_ADDRESS = "0x" + "0" * 40
ZERO_WORD = "0x" + "0" * 64
BIGGEST = 2**63 - 1  # number that databases take: only a log's size may grow by any step

# How the number of a slot may grow: by exactly one, by at most 1,024, or in any step.
EXACT_SLOTS = {"generation", "record", "request", "answer", "close"}
SERIAL_STEP = 1024
GROWING_SLOTS = {"key"}
SERIAL_SLOTS = {"institution", "affiliation", "recovery", "name", "block", "grant"}


def folder_scope(folder: int) -> str:
    """Return a folder's number as the scope of a grant."""
    return f"0x{folder:064x}"


def folder_of_scope(scope: str) -> int | None:
    """Return the folder that a scope means; None for a record or a selection."""
    number = int(scope, 16)
    return number if number < 1 << 16 else None


def record_id(author: str, nonce: str) -> str:
    """Return the id of a record (and of a request): keccak256(author || nonce)."""
    return "0x" + keccak(bytes.fromhex(author[2:]) + bytes.fromhex(nonce[2:])).hex()


def slot_institution(institution: str) -> str:
    """Admission of an institution."""
    return f"institution:{institution}"


def slot_affiliation(institution: str, doctor: str) -> str:
    """Return a doctor's affiliation; affiliating and leaving share its serial."""
    return f"affiliation:{institution}:{doctor}"


def slot_key(account: str) -> str:
    """Versions of an account's sharing key."""
    return f"key:{account}"


def slot_recovery(account: str) -> str:
    """Return an account's recovery address."""
    return f"recovery:{account}"


def slot_generation(account: str) -> str:
    """Return an account's generations of keys."""
    return f"generation:{account}"


def slot_name(patient: str, folder: int) -> str:
    """Return a folder's name."""
    return f"name:{patient}:{folder}"


def slot_record(record: str) -> str:
    """Return a record's versions, from 1."""
    return f"record:{record}"


def slot_close(record: str) -> str:
    """Return the closing of a record, once."""
    return f"close:{record}"


def slot_block(patient: str, sender: str) -> str:
    """Return whether a patient takes inbox records from a sender."""
    return f"block:{patient}:{sender}"


def slot_request(request: str) -> str:
    """Return a request for access, once."""
    return f"request:{request}"


def slot_answer(request: str) -> str:
    """Return the closing of a request by denial or withdrawal, once."""
    return f"answer:{request}"


def slot_grant(patient: str, grantee: str, via: str, scope: str) -> str:
    """Return a grant; granting and revoking share its serial."""
    return f"grant:{patient}:{grantee}:{via}:{scope}"


def slot_giveup(patient: str, grantee: str, via: str, scope: str) -> str:
    """Return the giving up of a grant, once per serial."""
    return f"giveup:{patient}:{grantee}:{via}:{scope}"


def slot_epoch(patient: str, folder: int) -> str:
    """Return a folder's epochs."""
    return f"epoch:{patient}:{folder}"


def slot_log(author: str, log: str) -> str:
    """Return the anchored sizes of a view log."""
    return f"log:{author}:{log}"


def subject(kind: str, fields: dict[str, Any]) -> str:
    """Return the patient, institution or account that an act is about."""
    if "patient" in fields:
        return str(fields["patient"])
    is_about_institution = kind in ("AdmitInstitution", "LeaveInstitution")
    return str(fields["institution"] if is_about_institution else fields["author"])


def slot_of(kind: str, fields: dict[str, Any]) -> tuple[str, int]:
    """Return the slot an act takes, and the number it gives it."""
    f, author = fields, fields["author"]
    match kind:
        case "AdmitInstitution":
            return slot_institution(f["institution"]), f["serial"]
        case "AffiliateDoctor":
            return slot_affiliation(author, f["doctor"]), f["serial"]
        case "LeaveInstitution":
            return slot_affiliation(f["institution"], author), f["serial"]
        case "PublishKey":
            return slot_key(author), f["version"]
        case "NameRecovery":
            return slot_recovery(author), f["serial"]
        case "ReplaceKeys":
            return slot_generation(author), f["generation"]
        case "NameFolder":
            return slot_name(author, f["folder"]), f["serial"]
        case "NewRecord":
            return slot_record(record_id(author, f["nonce"])), 1
        case "ModifyRecord":
            return slot_record(f["record"]), f["version"]
        case "CloseRecord":
            return slot_close(f["record"]), 1
        case "BlockSender":
            return slot_block(author, f["sender"]), f["serial"]
    return _consent_slot(kind, fields)


def _consent_slot(kind: str, fields: dict[str, Any]) -> tuple[str, int]:
    f, author = fields, fields["author"]
    match kind:
        case "RequestAccess":
            return slot_request(record_id(author, f["nonce"])), 1
        case "WithdrawRequest" | "DenyAccess":
            return slot_answer(f["request"]), 1
        case "GrantAccess" | "RevokeAccess":
            return slot_grant(author, f["grantee"], f["via"], f["scope"]), f["serial"]
        case "GiveUpAccess":
            return slot_giveup(f["patient"], author, f["via"], f["scope"]), f["serial"]
        case "RekeyFolder":
            return slot_epoch(author, f["folder"]), f["toEpoch"]
        case "AnchorLog":
            return slot_log(author, f["log"]), min(f["size"], BIGGEST)
    raise KeyError(kind)


def builds_on(kind: str, fields: dict[str, Any]) -> list[tuple[str, int | None]]:
    """Return the slots that an act builds on: what waits there, up to the number given, goes first.

    A revoke waits for none.
    """
    f, author = fields, fields["author"]
    if kind == "RevokeAccess":
        return []
    own, number = slot_of(kind, fields)
    before: list[tuple[str, int | None]] = [(own, number - 1)]
    if kind == "AffiliateDoctor":
        before.append((slot_institution(author), None))
    if f.get("via", ZERO_ADDRESS) != ZERO_ADDRESS:
        who = f["grantee"] if kind == "GrantAccess" else author
        before += [(slot_institution(f["via"]), None), (slot_affiliation(f["via"], who), None)]
    if kind in ("ModifyRecord", "CloseRecord"):
        before.append((slot_record(f["record"]), None if kind == "CloseRecord" else number - 1))
    if kind in ("NewRecord", "ModifyRecord"):
        before += _writer_slots(fields, slot_of(kind, fields)[0])
    if kind == "RequestAccess":
        before.append((slot_key(author), None))
    if f.get("request", ZERO_WORD) != ZERO_WORD:
        before.append((slot_request(f["request"]), None))
    if kind == "GrantAccess" and folder_of_scope(f["scope"]) is None:
        before.append((slot_record(f["scope"]), None))
    if kind == "GiveUpAccess":
        before.append((slot_grant(f["patient"], author, f["via"], f["scope"]), number))
    return before + _epoch_slots(kind, fields)


def _writer_slots(fields: dict[str, Any], record_slot: str) -> list[tuple[str, int | None]]:
    """Return the grants by which somebody else than the patient may write."""
    patient, author, via = fields["patient"], fields["author"], fields["via"]
    if patient == author:
        return []
    scopes = [folder_scope(fields["folder"]), record_slot.removeprefix("record:")]
    return [(slot_grant(patient, who, via, scope), None) for who in (author, via) for scope in scopes]


def _epoch_slots(kind: str, fields: dict[str, Any]) -> list[tuple[str, int | None]]:
    """Return the slots of the move to the epoch that an act names, and of its generation of keys."""
    epoch = fields.get("epoch", fields.get("fromEpoch"))
    if epoch is None:
        return []
    patient = subject(kind, fields)
    folder = fields["folder"] if "folder" in fields else folder_of_scope(fields["scope"])
    slots: list[tuple[str, int | None]] = [(slot_generation(patient), epoch >> 16)]
    return slots if folder is None else [*slots, (slot_epoch(patient, folder), epoch)]
