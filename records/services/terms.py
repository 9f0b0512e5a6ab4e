"""What is asked for or granted, between forms, envelopes and pages."""

from datetime import date

from records.crypto.payloads import Terms as SealedTerms
from records.errors import InvalidInput
from records.kinds import KINDS, PURPOSES
from records.shapes import Terms

READ, READ_WRITE = 1, 3
DAYS_MAX = 3650
NOTE_MAX = 2000
PERMISSIONS = {"read": READ, "write": READ_WRITE}


def permissions_of(text: str) -> int:
    """ "read" or "write" as the contract counts them: 1, or 3. Raises InvalidInput."""
    if text not in PERMISSIONS:
        raise InvalidInput("permissions", "Choose to read, or to read and write.")
    return PERMISSIONS[text]


def check_terms(*, purpose: str, kinds: list[str], permissions: str, days: int, note: str) -> SealedTerms:
    """The terms of a request. Raises InvalidInput."""
    if purpose not in PURPOSES:
        raise InvalidInput("purpose", "Choose one of the purposes in the list.")
    check_kinds(kinds)
    if not 1 <= days <= DAYS_MAX:
        raise InvalidInput("days", f"Ask for 1 to {DAYS_MAX} days.")
    if len(note) > NOTE_MAX or "\x00" in note:
        raise InvalidInput("note", f"A note has at most {NOTE_MAX} characters.")
    return SealedTerms(
        purpose=purpose,
        kinds=tuple(sorted(set(kinds))),
        permissions=permissions_of(permissions),
        days=days,
        note=note.strip(),
    )


def check_kinds(kinds: list[str]) -> None:
    """Raise InvalidInput for a kind that is not in the list."""
    if any(kind not in KINDS for kind in kinds):
        raise InvalidInput("kinds", "Choose from the kinds in the list.")


def terms_from_draft(values: dict[str, object]) -> SealedTerms:
    """Terms kept in a draft or under a link's key."""
    return SealedTerms.from_bytes(str(values["terms"]).encode())


def terms_to_draft(terms: SealedTerms) -> dict[str, object]:
    """Terms as a JSON-able draft."""
    return {"terms": terms.to_bytes().decode()}


def show_terms(terms: SealedTerms | None) -> Terms | None:
    """Terms as pages show them."""
    if terms is None:
        return None
    return Terms(
        purpose=terms.purpose,
        purpose_name=PURPOSES.get(terms.purpose, terms.purpose),
        kinds=list(terms.kinds),
        kind_names=[KINDS.get(kind, kind) for kind in terms.kinds],
        write=bool(terms.permissions & 2),
        days=terms.days or 0,
        note=terms.note,
    )


def grant_terms(
    asked: SealedTerms | None,
    *,
    permissions: int,
    days: int,
    kinds: list[str],
    since: date | None,
    until: date | None,
) -> SealedTerms:
    """The terms that a grant's envelope holds: what it was given for, and what was given."""
    return SealedTerms(
        purpose=asked.purpose if asked else "PATRQT",
        kinds=tuple(sorted(set(kinds))),
        permissions=permissions,
        days=days,
        first_date=since,
        last_date=until,
    )
