"""The directory projection: what the chain's events say about keys, admissions and affiliations.

Called in block order, in the transaction that marks the event applied; each may be called again.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import Model
from eth_utils.crypto import keccak

from accounts.crypto.sealing import is_usable_key
from accounts.models import Admission, Affiliation, PublishedKey
from chain.models import Event
from chain.models.bulk import insert_rows, rows_in
from chain.registry import on_event, on_events, on_reset


@on_events("KeyPublished")
def record_published_keys(events: Sequence[Event]) -> None:
    """New versions of accounts' sharing keys, each of its account's generation."""
    known: dict[str, dict[int, int]] = {event["author"]: {} for event in events}
    for row in rows_in(PublishedKey.objects.defer("key"), "account", known):
        known[row.account][row.version] = row.generation
    rows: dict[tuple[str, int], PublishedKey] = {}
    for event in events:
        account, version = event["author"], event["version"]
        below = [number for number in known[account] if number < version]
        generation = known[account][max(below)] if below else 0
        known[account][version] = generation
        rows[account, version] = _key(event, generation)
    _keep_keys(rows.values())


@on_event("KeysReplaced")
def record_replaced_keys(event: Event) -> None:
    """A new generation of an account brings its own sharing key."""
    _keep_keys([_key(event, event["generation"])])


@on_event("InstitutionAdmitted")
def record_admission(event: Event) -> None:
    """An institution was admitted or suspended."""
    found = {"institution": event["institution"]}
    _record_latest(Admission, found, event, admitted=event["admitted"])


@on_event("DoctorAffiliated")
def record_affiliation(event: Event) -> None:
    """A doctor was affiliated, or the affiliation ended by the institution."""
    found = {"institution": event["author"], "doctor": event["doctor"]}
    _record_latest(Affiliation, found, event, affiliated=event["affiliated"])


@on_event("InstitutionLeft")
def record_leaving(event: Event) -> None:
    """A doctor ended the affiliation."""
    found = {"institution": event["institution"], "doctor": event["author"]}
    _record_latest(Affiliation, found, event, affiliated=False)


@on_reset
def forget_directory() -> None:
    """Empty the projection before the archive of events is applied anew."""
    for model in (PublishedKey, Admission, Affiliation):
        model.objects.all().delete()


def affiliation_serials(pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """By (institution, doctor), the serial of the last word on their affiliation, if there is one."""
    wanted = set(pairs)
    rows = rows_in(Affiliation.objects.all(), "doctor", {doctor for _, doctor in wanted})
    found = {(row.institution, row.doctor): row.serial for row in rows}
    return {pair: serial for pair, serial in found.items() if pair in wanted}


def _key(event: Event, generation: int) -> PublishedKey:
    key = bytes.fromhex(event["key"].removeprefix("0x"))
    return PublishedKey(
        account=event["author"],
        version=event["version"],
        generation=generation,
        key=key,
        digest="0x" + keccak(key).hex(),
        usable=is_usable_key(key),
        block_number=event.block_number,
    )


def _keep_keys(rows: Iterable[PublishedKey]) -> None:
    insert_rows(rows, unique=("account", "version"), update=True)


def _record_latest(model: type[Model], found: dict[str, str], event: Event, **values: Any) -> None:
    """Keep what has the highest serial."""
    manager: Any = model._default_manager
    row = manager.filter(**found).first()
    if row is None or row.serial <= event["serial"]:
        manager.update_or_create(
            **found,
            defaults={**values, "serial": event["serial"], "block_number": event.block_number},
        )
