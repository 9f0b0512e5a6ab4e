"""What an actor's open keys open of one patient's records: folder keys, data keys, descriptions."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from accounts.actor import Actor
from accounts.crypto.errors import CryptoError
from chain.contract.slots import folder_scope
from records.access import LiveGrant, access_to
from records.arrivals import WantedFile
from records.chain_words import raw
from records.content import digest_of, read_blob, read_blobs
from records.crypto.description import Description, open_description, seal_description
from records.crypto.envelopes import Purpose
from records.crypto.errors import WrongKey
from records.crypto.folders import earlier_secret, folder_key, pack_epoch, unpack_epoch
from records.crypto.wrap import unwrap
from records.errors import AccessRefused, NotArrived, RecordDamaged, RecordLost, RecordsError, StoreDown
from records.models import Fetch, QueuedKey
from records.readability import Readability
from records.services import envelopes
from records.services.envelopes import ScopeEnvelopes
from records.services.own_secrets import own_secret
from records.services.states import RecordState, VersionState


@dataclass(frozen=True)
class Shared:
    """What a patient shares with an actor: grants in force, and what reads the envelopes of their scopes."""

    grants: list[LiveGrant]
    read: Callable[[], dict[tuple[str, str], ScopeEnvelopes]]


@dataclass(frozen=True)
class OpenVersion:
    """A version whose description has been opened."""

    data_key: bytes
    description: Description


@dataclass(frozen=True)
class Opening:
    """What came of opening a version; `opened` is there when it is readable."""

    readability: Readability
    opened: OpenVersion | None = None


class Keyring:
    """Opens what the access module allows this actor of one patient, and nothing else.

    For the patient all from the folder root; for others from the envelopes of grants that hold now.
    Raises VaultClosed wherever a key is needed and the vault is closed. Whatever others wrote raises nothing:
    an `Opening` says what is the matter with it.
    """

    def __init__(self, actor: Actor, patient: str, shared: Shared | None = None) -> None:
        self.actor = actor
        self.patient = patient
        self.access = access_to(actor, patient)
        self.own = self.access.own
        self._shared = shared
        self.sealed_names: dict[int, bytes | None] = {}  # of folders, as far as they were asked for
        self._secrets: dict[tuple[int, int], tuple[int, bytes]] = {}
        self._blobs: dict[str, bytes] = {}
        self._problems: dict[str, RecordsError] = {}
        self._scope_problem: StoreDown | None = None  # of a grant's envelopes, in which more keys may be

    @property
    def grants(self) -> list[LiveGrant]:
        """The live grants that this actor holds of the patient; none for the patient."""
        return self.access.grants if self._shared is None else self._shared.grants

    @cached_property
    def _envelopes(self) -> dict[tuple[str, str], ScopeEnvelopes]:
        """The envelopes of these grants, by patient and scope."""
        if self._shared is not None:
            return self._shared.read()
        return envelopes.read_scopes(self.actor, {(self.patient, grant.scope) for grant in self.grants})

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
        """Read descriptions at once, before many records are opened."""
        wanted: list[VersionState] = []
        for state in states:
            wanted += state.shown[-1:] if latest_only else state.shown
        self._read(wanted)

    def open_latest(self, state: RecordState) -> OpenVersion | None:
        """The newest version, or None when it does not open."""
        return self.try_latest(state).opened

    def try_latest(self, state: RecordState) -> Opening:
        """The newest version, or why it does not open."""
        return self._try(state, state.latest, [])

    def try_version(self, state: RecordState, version: VersionState) -> Opening:
        """One version by itself, also one that the chain refused."""
        return self._try(state, version, [])

    def try_all(self, state: RecordState) -> dict[int, Opening]:
        """Every version by its number: whoever opens a version opens its past."""
        self.load([state])
        openings: dict[int, Opening] = {}
        carried: list[bytes] = []
        for version in reversed(state.versions):
            opening = self._try(state, version, carried)
            openings[version.version] = opening
            if opening.opened is None:
                continue
            previous = opening.opened.description.previous_data_key
            carried = [key for key in (opening.opened.data_key, previous) if key is not None]
        return openings

    def require(self, opening: Opening) -> OpenVersion:
        """Return what was opened, or raise in words that say why not.

        Raises AccessRefused, RecordDamaged, RecordLost, StoreDown.
        """
        if opening.opened is not None:
            return opening.opened
        why = opening.readability
        words = f"{why.problem} {why.advice(own=self.own)}"
        if why is Readability.DAMAGED:
            raise RecordDamaged(words)
        if why is Readability.LOST:
            raise RecordLost(words)
        if why is Readability.NOT_ARRIVED:
            raise NotArrived(words)
        if why is Readability.UNREACHABLE:
            raise StoreDown(words)
        raise AccessRefused(words, patient=self.patient)

    def _read(self, versions: Iterable[VersionState]) -> None:
        known = self._blobs.keys() | self._problems.keys()
        read = read_blobs(_description(one) for one in versions if one.description not in known)
        self._blobs.update(read.here)
        self._problems.update(read.problems)

    def _try(self, state: RecordState, version: VersionState, carried: list[bytes]) -> Opening:
        self._read([version])
        sealed = self._blobs.get(version.description)
        if sealed is None:
            problem = self._problems.get(version.description)
            return Opening(Readability.LOST if problem is None else _readability(problem))
        attempt = _Attempt(raw(version.record), sealed)
        for source in self._sources(state, version, carried):
            opened = attempt.open(source)
            if opened is not None:
                return Opening(Readability.READABLE, opened)
        return Opening(self._why_not(version, attempt))

    def _sources(
        self, state: RecordState, version: VersionState, carried: list[bytes]
    ) -> Iterator[Callable[[], Iterable[bytes]]]:
        """Where keys of a version may come from; what is wrong with one spoils no other."""
        yield lambda: carried
        yield lambda: self._own_keys(version)
        yield lambda: self._granted.get(version.record, [])
        yield lambda: envelopes.queued_keys(self.actor, self._queued(version))
        if state.latest is not version and not carried:
            yield lambda: self._latest_keys(state)

    def _own_keys(self, version: VersionState) -> Iterator[bytes]:
        """The data key in the version's own secret: wrapped under the folder, or sealed to the patient."""
        if version.wrapped:
            key = self.folder_key(version.folder, version.epoch)
            if key is not None:
                yield unwrap(key, raw(version.record), raw(version.secret))
        elif self.own:
            yield from envelopes.record_keys(
                self.actor,
                list_digest=version.secret,
                author=version.author,
                patient=self.patient,
                record=version.record,
            )

    def _latest_keys(self, state: RecordState) -> Iterator[bytes]:
        newest = self.open_latest(state)
        if newest is not None:
            yield newest.data_key

    def _why_not(self, version: VersionState, attempt: "_Attempt") -> Readability:
        problem = attempt.problem or self._scope_problem
        if problem is not None:
            return _readability(problem)
        if self.own:
            # The patient waits for nobody's key: what does not open now never will, here.
            return self._why_not_own(version)
        if attempt.refused:
            return Readability.DAMAGED
        return Readability.KEY_DAMAGED if self._has_damaged_grant else Readability.KEY_MISSING

    def _why_not_own(self, version: VersionState) -> Readability:
        if version.wrapped:
            ours = unpack_epoch(version.epoch)[0] <= self.actor.account.generation
            return Readability.DAMAGED if ours else Readability.OTHER_KEYS
        about = envelopes.ListAbout(Purpose.INBOX, version.author, self.patient, version.record)
        try:
            if read_blob(version.secret, about.wanted_list(version.secret)) is None:
                return Readability.LOST
        except StoreDown as error:
            return _readability(error)
        sealed = envelopes.listed_envelopes(version.secret, about).filter(recipient=self.patient)
        digests = sealed.values_list("key_digest", flat=True)
        elsewhere = any(self.actor.sharing_seed(digest) is None for digest in digests)
        return Readability.OTHER_KEYS if elsewhere else Readability.DAMAGED

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
            try:
                for record, key in self._scope_keys(scope):
                    keys.setdefault(record, []).append(key)
            except CryptoError:
                continue
            except StoreDown as error:
                self._scope_problem = error
        return keys

    def _scope_keys(self, scope: str) -> Iterator[tuple[str, bytes]]:
        shelf = self._envelopes[self.patient, scope]
        return envelopes.scope_keys(self.actor, patient=self.patient, scope=scope, shelf=shelf)

    @cached_property
    def _has_damaged_grant(self) -> bool:
        """Whether a grant's envelope for this actor is there and holds no key."""
        for grant in self.grants:
            shelf = self._envelopes[self.patient, grant.scope]
            if envelopes.is_damaged(self.actor, grant, shelf):
                return True
        return False

    def _find_secret(self, folder: int, generation: int, epoch: int) -> tuple[int, bytes] | None:
        """(epoch, secret) of at least this epoch."""
        if self.own:
            root = self.actor.folder_root
            return epoch, own_secret(root, self.actor.origin, generation, folder, epoch)
        shelf = self._envelopes.get((self.patient, folder_scope(folder)))
        if shelf is None:
            return None
        return envelopes.newest_secret(
            self.actor,
            patient=self.patient,
            scope=folder_scope(folder),
            least=pack_epoch(generation, epoch),
            shelf=shelf,
        )


def keyring_to(actor: Actor, patient: str) -> Keyring:
    """Return what opens a patient's records for this actor: the same throughout one reading request."""
    return actor.once(("keyring", patient), lambda: Keyring(actor, patient))


def load_latest(keyrings: Mapping[str, Keyring], states: Iterable[RecordState]) -> None:
    """Read the newest descriptions of several patients' records at once, each for its patient's keyring."""
    wanted = [state.shown[-1] for state in states]
    read = read_blobs(map(_description, wanted))
    for version in wanted:
        keyring, digest = keyrings[version.patient], version.description
        if digest in read.here:
            keyring._blobs[digest] = read.here[digest]
        if digest in read.problems:
            keyring._problems[digest] = read.problems[digest]


def _description(version: VersionState) -> WantedFile:
    kind = Fetch.Kind.DESCRIPTION
    return WantedFile(version.description, kind, patient=version.patient, author=version.author)


def _readability(problem: RecordsError) -> Readability:
    """What is said of a record whose description or key is not here."""
    if isinstance(problem, NotArrived):
        return Readability.NOT_ARRIVED
    return Readability.UNREACHABLE if isinstance(problem, StoreDown) else Readability.DAMAGED


class _Attempt:
    """Tries keys on a sealed description, and remembers what was wrong."""

    def __init__(self, record: bytes, sealed: bytes) -> None:
        self._record = record
        self._sealed = sealed
        self.refused = False  # a key that belongs to the file opened no description
        self.problem: StoreDown | None = None  # of the store, where a key may be

    def open(self, source: Callable[[], Iterable[bytes]]) -> OpenVersion | None:
        """The description under the first key of this source that opens it."""
        try:
            for key in source():
                opened = self._open_with(key)
                if opened is not None:
                    return opened
        except CryptoError:
            self.refused = True
        except StoreDown as error:
            self.problem = error
        return None

    def _open_with(self, key: bytes) -> OpenVersion | None:
        try:
            return OpenVersion(key, open_description(key, self._record, self._sealed))
        except WrongKey:
            return None  # a grant may hold the key of another version
        except CryptoError:
            self.refused = True
            return None
