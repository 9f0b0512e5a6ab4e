"""What an actor's open keys open of one patient's records: folder keys, data keys, descriptions."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

from accounts.actor import Actor
from accounts.crypto.errors import CryptoError
from chain.slots import folder_scope
from records.access import LiveGrant, live_grants
from records.chain_words import raw
from records.content import digest_of, read_blobs
from records.crypto.description import Description, open_description, seal_description
from records.crypto.errors import CannotUnwrap
from records.crypto.folders import earlier_secret, folder_key, pack_epoch, unpack_epoch
from records.crypto.wrap import unwrap
from records.models import QueuedKey
from records.services import envelopes
from records.services.own_secrets import own_secret
from records.services.states import RecordState, VersionState


@dataclass(frozen=True)
class OpenVersion:
    """A version whose description has been opened."""

    data_key: bytes
    description: Description


class Keyring:
    """Opens what the access module allows this actor of one patient, and nothing else.

    For the patient all from the folder root; for others from the envelopes of grants that hold now.
    Raises VaultClosed wherever a key is needed and the vault is closed.
    """

    def __init__(self, actor: Actor, patient: str) -> None:
        self.actor = actor
        self.patient = patient
        self.own = actor.address == patient
        self._secrets: dict[tuple[int, int], tuple[int, bytes]] = {}
        self._blobs: dict[str, bytes] = {}

    @cached_property
    def grants(self) -> list[LiveGrant]:
        """The live grants that this actor holds of the patient; none for the patient."""
        return [] if self.own else live_grants(self.actor, patient=self.patient)

    def folder_key(self, folder: int, packed_epoch: int) -> bytes | None:
        """The folder key of an epoch, or None where this actor has no secret of it."""
        generation, epoch = unpack_epoch(packed_epoch)
        held = self._secrets.get((folder, generation))
        if held is None or held[0] < epoch:
            found = self._find_secret(folder, generation, epoch)
            if found is None:
                return None
            held = self._secrets[folder, generation] = found
        return folder_key(earlier_secret(held[1], held[0], epoch))

    def seal(self, record: str, data_key: bytes, description: Description) -> tuple[str, bytes]:
        """Digest and bytes of a version's description; to open it, nothing need be fetched."""
        sealed = seal_description(data_key, raw(record), description)
        digest = digest_of(sealed)
        self._blobs[digest] = sealed
        return digest, sealed

    def load(self, states: Iterable[RecordState], *, latest_only: bool = False) -> None:
        """Fetch descriptions at once, before many records are opened."""
        wanted = set()
        for state in states:
            versions = state.shown[-1:] if latest_only else state.shown
            wanted |= {one.description for one in versions}
        if missing := wanted - set(self._blobs):
            self._blobs.update(read_blobs(missing))

    def open_latest(self, state: RecordState) -> OpenVersion | None:
        """The newest version, or None when no key of it is at hand."""
        return self._open_one(state, state.latest, [])

    def open_version(self, state: RecordState, version: VersionState) -> OpenVersion | None:
        """One version by itself, also one that the chain refused."""
        return self._open_one(state, version, [])

    def open_all(self, state: RecordState) -> dict[int, OpenVersion]:
        """Every version that opens, by its number: whoever opens a version opens its past."""
        self.load([state])
        opened: dict[int, OpenVersion] = {}
        carried: list[bytes] = []
        for version in reversed(state.versions):
            found = self._open_one(state, version, carried)
            if found is None:
                continue
            opened[version.version] = found
            previous = found.description.previous_data_key
            carried = [key for key in (found.data_key, previous) if key is not None]
        return opened

    def _open_one(
        self, state: RecordState, version: VersionState, carried: list[bytes]
    ) -> OpenVersion | None:
        if version.description not in self._blobs:
            self._blobs.update(read_blobs({version.description}))
        sealed = self._blobs.get(version.description)
        if sealed is None:
            return None
        for key in self._candidates(state, version, carried):
            try:
                return OpenVersion(key, open_description(key, raw(version.record), sealed))
            except CryptoError:
                continue
        return None

    def _candidates(self, state: RecordState, version: VersionState, carried: list[bytes]) -> Iterable[bytes]:
        yield from carried
        if version.wrapped:
            key = self.folder_key(version.folder, version.epoch)
            if key is not None:
                with suppress(CannotUnwrap):
                    yield unwrap(key, raw(version.record), raw(version.secret))
        elif self.own:
            yield from envelopes.record_keys(
                self.actor,
                list_digest=version.secret,
                author=version.author,
                patient=self.patient,
                record=version.record,
            )
        yield from self._granted.get(version.record, [])
        yield from envelopes.queued_keys(self.actor, self._queued(version))
        if state.latest is not version and not carried:
            newest = self._open_one(state, state.latest, [])
            if newest is not None:
                yield newest.data_key

    def _queued(self, version: VersionState) -> list[QueuedKey]:
        return list(
            QueuedKey.objects.filter(
                record=version.record, version=version.version, recipient=self.actor.address
            )
        )

    @cached_property
    def _granted(self) -> dict[str, list[bytes]]:
        """Data keys from grants of single records and of selections, by record."""
        keys: dict[str, list[bytes]] = {}
        scopes = [grant.scope for grant in self.grants if grant.folder is None]
        if not scopes:
            return keys
        for scope in scopes:
            for record, key in envelopes.scope_keys(self.actor, patient=self.patient, scope=scope):
                keys.setdefault(record, []).append(key)
        return keys

    def _find_secret(self, folder: int, generation: int, epoch: int) -> tuple[int, bytes] | None:
        """(epoch, secret) of at least this epoch."""
        if self.own:
            root = self.actor.folder_root
            return epoch, own_secret(root, self.actor.origin, generation, folder, epoch)
        if not any(grant.folder == folder for grant in self.grants):
            return None
        return envelopes.newest_secret(
            self.actor,
            patient=self.patient,
            scope=folder_scope(folder),
            least=pack_epoch(generation, epoch),
        )
