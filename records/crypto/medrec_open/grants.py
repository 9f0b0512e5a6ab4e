"""Grants as they stand, and the keys that those hand over which an account holds."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from .chain import Event
from .envelopes import About, Envelopes, Purpose
from .errors import Refused
from .formats import read_folder_payload, read_record_payload, read_selection_payload
from .keys import earlier_secret, hkdf, selection_id

Grant = dict[str, Any]
"""A grant's event, with `patient`, `state`, and once it is opened `terms` or `problem`."""
_KINDS = ("AccessGranted", "AccessRevoked", "AccessGivenUp")
FOLDERS = 1 << 16


def patient_of(event: Event) -> bytes:
    """Return the patient of an event: only acts that others can do name the patient."""
    patient: bytes = event["patient"] if "patient" in event else event["author"]
    return patient


def standing_grants(events: Iterable[Event]) -> list[Grant]:
    """Grants that nobody has ended, each with the state that its times make."""
    latest: dict[tuple[bytes, ...], Event] = {}
    told = [event for event in events if event["event"] in _KINDS]
    for event in sorted(told, key=lambda event: (event["serial"], event["block"], event["index"])):
        grantee = event["author"] if event["event"] == "AccessGivenUp" else event["grantee"]
        latest[patient_of(event), grantee, event["via"], event["scope"]] = event
    return [
        event | {"patient": event["author"], "state": _state(event)}
        for event in latest.values()
        if event["event"] == "AccessGranted"
    ]


def _state(grant: Event) -> str:
    now = datetime.now(UTC).timestamp()
    if grant["expiry"] <= now:
        return "expired"
    return "begins later" if grant["notBefore"] > now else "in force"


class GrantedKeys:
    """What one patient's grants in force hand over to this account."""

    def __init__(
        self, patient: bytes, events: list[Event], grants: list[Grant], envelopes: Envelopes
    ) -> None:
        """`events`: the patient's. Each grant gets its `terms`, or the `problem` that keeps it closed."""
        self._patient, self._events, self._envelopes = patient, events, envelopes
        self._secrets: dict[tuple[int, int], tuple[int, bytes]] = {}  # by folder and generation
        self._keys: dict[bytes, list[bytes]] = {}
        self._folders: set[int] = set()
        self._known = {event["record"] for event in events if event["event"] == "RecordAdded"}
        for grant in grants:
            try:
                grant["terms"] = self._open(grant)
            except (Refused, OSError) as error:
                grant["problem"] = str(error)

    def covers(self, record: bytes, folder: int) -> bool:
        """Return whether a record that is in this folder now is shared with the account."""
        return folder in self._folders or record in self._keys

    def folder_keys(self, folder: int, epoch: int) -> Iterator[bytes]:
        """The key of a folder's epoch, if a secret of it or of a later one was handed over."""
        held = self._secrets.get((folder, epoch >> 16))
        if held is not None and held[0] >= epoch:
            yield hkdf(earlier_secret(held[1], held[0] - epoch), "folder-key")

    def data_keys(self, record: bytes) -> list[bytes]:
        """The data keys of a record that was shared by itself or in a selection."""
        return self._keys.get(record, [])

    def _open(self, grant: Grant) -> Any:
        folder, scope = int.from_bytes(grant["scope"], "big"), grant["scope"]
        if folder < FOLDERS:
            self._folders.add(folder)
            return self._open_folder(grant, folder)
        if scope in self._known:
            about = About(Purpose.RECORD, self._patient, self._patient, scope, grant["epoch"])
            key, terms = self._envelopes.open(grant["envelopes"], about, read_record_payload)
            self._keys.setdefault(scope, []).append(key)
            return terms
        about = About(Purpose.SELECTION, self._patient, self._patient, scope, grant["epoch"])
        nonce, keys, terms = self._envelopes.open(grant["envelopes"], about, read_selection_payload)
        if selection_id(self._patient, nonce, list(keys)) != scope:
            raise Refused("the selection's list is not the one that was granted")
        for record, key in keys.items():
            self._keys.setdefault(record, []).append(key)
        return terms

    def _open_folder(self, grant: Grant, folder: int) -> Any:
        """The newest list that opens: each move of the folder seals the new secret anew."""
        lists = [(grant["epoch"], grant["envelopes"])]
        lists += [
            (event["toEpoch"], event["envelopes"])
            for event in self._events
            if event["event"] == "FolderRekeyed" and event["folder"] == folder
        ]
        problem: Exception = Refused("no envelope of it is for this phrase")
        for epoch, listed in sorted(lists, reverse=True):
            about = About(Purpose.FOLDER, self._patient, self._patient, grant["scope"], epoch)
            try:
                secrets, terms = self._envelopes.open(listed, about, read_folder_payload)
            except (Refused, OSError) as error:
                problem = error
                continue
            for packed, secret in secrets.items():
                self._secrets[folder, packed >> 16] = packed, secret
            return terms
        raise problem
