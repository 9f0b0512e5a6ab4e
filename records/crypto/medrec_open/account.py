"""The account behind a phrase, a patient's, a practitioner's or an institution's, and what it has part in."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from .chain import ACCESS_DENIED, KEYS_REPLACED, Event, Node, can_read, origin_of
from .envelopes import About, Envelopes, Purpose
from .errors import Refused
from .formats import read_reason, read_terms
from .grants import GrantedKeys, patient_of, standing_grants
from .keys import SharingKey, folder_secret, hkdf, signer_address
from .records import Records, Row
from .store import Store
from .words import entropy_of

NOTHING = bytes(32)


class OwnKeys:
    """A patient's own folder keys, from each phrase that the account has had."""

    def __init__(self, entropies: list[bytes], index: int, origin: bytes) -> None:
        self._entropies, self._index, self._origin = entropies, index, origin

    def covers(self, record: bytes, folder: int) -> bool:
        """All records are the patient's own."""
        del record, folder
        return True

    def folder_keys(self, folder: int, epoch: int) -> Iterator[bytes]:
        """The key that each phrase makes for this folder and packed epoch."""
        for entropy in self._entropies:
            secret = folder_secret(entropy, self._index, self._origin, folder, epoch)
            yield hkdf(secret, "folder-key")

    def data_keys(self, record: bytes) -> list[bytes]:
        """None is handed over: the folder's key or an envelope gives each."""
        del record
        return []


class Account:
    """What the contract knows of the account with a phrase's signing key, and what the phrase opens of it."""

    def __init__(self, phrases: list[str], index: int, node: Node, contract: str, store: Store) -> None:
        """`phrases`: the newest first. `index`: 0 a patient or an institution, 1 a practitioner."""
        self._entropies = [entropy_of(phrase) for phrase in phrases]
        self._node, self._contract, self._store, self._index = node, contract, store, index
        origin = origin_of(node, contract)
        self.address, about = self._find()
        by = list(node.events(contract, [None, None, _topic(self.address)]))
        self.events = _in_order([*about, *by])
        """Every event of the account or about it."""
        self._sharing_keys, self.notes = self._keys()
        self._envelopes = Envelopes(store, origin, self.address, self._sharing_keys)
        self._own_keys = OwnKeys(self._entropies, index, origin)
        self.own = Records(self.address, self.events, self._own_keys, store, self._envelopes)
        self.grants = [one for one in standing_grants(self.events) if one["patient"] == self.address]
        self.received = [one for one in standing_grants(self.events) if one["grantee"] == self.address]
        for grant in self.received:
            place = grant["patient"], self.address, grant["via"], grant["scope"]
            if grant["state"] == "in force" and not can_read(node, contract, *place):
                grant["state"] = "not in force: suspended, or no longer of the institution"

    def records(self, out: Path | None) -> Iterator[Row]:
        """The account's own records, as `Records.rows` has them."""
        return self.own.rows(out)

    def received_records(self, out: Path | None) -> Iterator[tuple[bytes, Row]]:
        """(patient, version) of what grants in force open. Each grant gets its terms or its problem."""
        held = [grant for grant in self.received if grant["state"] == "in force"]
        patients = list(dict.fromkeys(grant["patient"] for grant in held))
        events = self._events_of(patients)
        for patient in patients:
            theirs = [event for event in events if patient_of(event) == patient]
            grants = [grant for grant in held if grant["patient"] == patient]
            keys = GrantedKeys(patient, theirs, grants, self._envelopes)
            place = out / f"From 0x{patient.hex()}" if out is not None else None
            for row in Records(patient, theirs, keys, self._store, None).rows(place):
                yield patient, row

    def written(self) -> list[Event]:
        """The versions that the account has written into other people's records."""
        kinds = ("RecordAdded", "RecordModified")
        theirs = [event for event in self.events if event["event"] in kinds]
        return [one for one in theirs if one["author"] == self.address != one["patient"]]

    def requests(self) -> list[Row]:
        """Requests that the account has sent or received, with their terms and what became of them."""
        asked = [event for event in self.events if event["event"] == "AccessRequested"]
        patients = list(dict.fromkeys(one["patient"] for one in asked if one["author"] == self.address))
        denied = [] if not patients else self._with_topics(ACCESS_DENIED, patients)
        answers = [event for event in [*self.events, *denied] if event.get("request", NOTHING) != NOTHING]
        later = {(patient_of(event), event["request"]): event for event in answers}
        return [
            self._request(event, later.get((event["patient"], event["request"]), event)) for event in asked
        ]

    def _request(self, event: Event, last: Event) -> Row:
        states = {"AccessDenied": "denied", "AccessGranted": "granted", "RequestWithdrawn": "withdrawn"}
        row: Row = event | {"state": states.get(last["event"], "open")}
        about = About(Purpose.TERMS, event["author"], event["patient"], event["request"])
        try:
            row["terms"] = self._envelopes.open(event["envelopes"], about, read_terms)
            if last["event"] == "AccessDenied" and last["reason"] != NOTHING:
                about = About(Purpose.REASON, event["patient"], event["patient"], event["request"])
                row["reason"] = self._envelopes.open(last["reason"], about, read_reason)
        except (Refused, OSError) as error:
            row["problem"] = str(error)
        return row

    def _find(self) -> tuple[bytes, list[Event]]:
        """(address, events about it) of the account whose signer this phrase is or was. Raises Refused."""
        signer = signer_address(self._entropies[0], self._index)
        about = list(self._node.events(self._contract, [None, _topic(signer)]))
        if any(event["event"] == "KeyPublished" for event in about):
            return signer, about
        for event in self._node.events(self._contract, [KEYS_REPLACED, None, _topic(signer)]):
            key = SharingKey(self._entropies[0], self._index, event["generation"], event["version"])
            if key.public == event["key"]:
                address = event["author"]
                return address, list(self._node.events(self._contract, [None, _topic(address)]))
        raise Refused("no account of this contract has this phrase")

    def _keys(self) -> tuple[dict[bytes, SharingKey], list[str]]:
        """The account's sharing keys by digest, and what is to be said of keys that were replaced."""
        keys: dict[bytes, SharingKey] = {}
        notes, generation, unopened = [], 0, False
        for event in self.events:
            if event["author"] != self.address or event["event"] not in ("KeyPublished", "KeysReplaced"):
                continue
            generation = event.get("generation", generation)
            tried = [SharingKey(one, self._index, generation, event["version"]) for one in self._entropies]
            mine = [key for key in tried if key.public == event["key"]]
            keys.update((key.digest, key) for key in mine)
            if event["event"] == "KeysReplaced":
                notes = [
                    f"The keys of this account were replaced on {event['at']:%Y-%m-%d}, with a new phrase."
                ]
                unopened = not mine
        if notes and unopened:
            notes.append("This is a phrase from before. What was written since then needs the new one.")
        elif notes and len(self._entropies) < 2:
            notes.append("What was written before needs the old phrase: give it in another --phrase-file.")
        return keys, notes

    def _events_of(self, patients: list[bytes]) -> list[Event]:
        return self._with_topics(None, patients) if patients else []

    def _with_topics(self, kind: str | None, accounts: list[bytes]) -> list[Event]:
        found: list[Event] = []
        for at in range(0, len(accounts), 100):
            topics = [_topic(account) for account in accounts[at : at + 100]]
            found += self._node.events(self._contract, [kind, topics])
        return _in_order(found)


def _topic(address: bytes) -> str:
    return "0x" + address.hex().zfill(64)


def _in_order(events: Iterable[Event]) -> list[Event]:
    """Each event once, in the order of the chain."""
    by_place = {(event["block"], event["index"]): event for event in events}
    return [by_place[place] for place in sorted(by_place)]
