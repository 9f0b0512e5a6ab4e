"""Who is acting: a user, by one of his or her accounts, with or without the keys open."""

from collections.abc import Callable, Hashable
from copy import copy
from functools import cached_property
from typing import Any, TypeVar

from accounts import directory, sealed_keys
from accounts.crypto.bundle import AccountKeys, KeyBundle
from accounts.crypto.keys import SharingKey
from accounts.crypto.origin import Origin
from accounts.directory import PublicKey
from accounts.errors import ReadOnlyToken, VaultClosed
from accounts.models import Account, SealedKey, User
from chain.acts.messages import PreparedAct, SignedAct, sign_act
from chain.node.deployment import origin

__all__ = ["Actor", "ReadOnlyToken", "VaultClosed"]

T = TypeVar("T")


class Actor:
    """Made by ActorMiddleware from session and vault cookie, or by an API token.

    `open_bundle` gives the key bundle, or None while the vault is closed.
    """

    def __init__(
        self,
        *,
        user: User,
        account: Account,
        open_bundle: Callable[[], KeyBundle | None],
        read_only: bool = False,
    ) -> None:
        self.user = user
        self.account = account
        self.address = account.address
        self.kind = account.kind
        self._open_bundle = open_bundle
        self._read_only = read_only
        self._answers: dict[Hashable, Any] | None = None

    def __repr__(self) -> str:
        return f"<Actor {self.kind} {self.address}>"

    def keep_answers(self) -> None:
        """Ask each question once from here on: for a request that changes nothing."""
        self._answers = {}

    def anew(self) -> "Actor":
        """Return the same actor, who asks each question again: for what goes on after the request."""
        actor = copy(self)
        actor._answers = None
        return actor

    def once(self, question: Hashable, ask: Callable[[], T]) -> T:
        """Return the answer to a question, which a request that only reads asks once."""
        if self._answers is None:
            return ask()
        if question not in self._answers:
            self._answers[question] = ask()
        answer: T = self._answers[question]
        return answer

    @cached_property
    def _bundle(self) -> KeyBundle | None:
        return self._open_bundle()

    @property
    def bundle(self) -> KeyBundle:
        """The opened keys. Raises VaultClosed."""
        if self._bundle is None:
            raise VaultClosed
        return self._bundle

    @property
    def keys(self) -> AccountKeys:
        """The opened keys of the account that acts. Raises VaultClosed."""
        return self.bundle.accounts[self.account.index]

    @property
    def is_open(self) -> bool:
        """Whether the keys are open."""
        return self._bundle is not None

    @property
    def can_sign(self) -> bool:
        """Whether `sign` would work."""
        return self.is_open and not self._read_only and self.keys.signing_key is not None

    def sign(self, act: PreparedAct) -> SignedAct:
        """Sign an act of this account. Raises VaultClosed or ReadOnlyToken."""
        key = self.keys.signing_key
        if self._read_only or key is None:
            raise ReadOnlyToken
        if act.author != self.address:
            raise ValueError(f"{self.address} cannot sign for {act.author}")
        return sign_act(act, key)

    @property
    def folder_root(self) -> bytes:
        """32 bytes from which all folder secrets of this account come. Raises VaultClosed."""
        return self.keys.folder_root

    @cached_property
    def origin(self) -> Origin:
        """The contract's identity, which is in every label."""
        return Origin(*origin())

    @cached_property
    def own_public_key(self) -> PublicKey:
        """The newest sharing key of this account, derived: works before its publication is confirmed."""
        place = (self.account.generation, self.account.key_version)
        key = SharingKey(self.keys.sharing_seeds[place])
        return PublicKey(self.address, *place, key=key.public, digest=key.digest)

    @cached_property
    def _own_seeds(self) -> dict[str, bytes]:
        return {SharingKey(seed).digest: seed for seed in self.keys.sharing_seeds.values()}

    def sharing_seed(self, key_digest: str) -> bytes | None:
        """The seed, own or of an institution, whose public key has this keccak256 digest."""
        own = self._own_seeds.get(key_digest)
        if own is not None:
            return own
        return self.once(
            ("seed", key_digest),
            lambda: sealed_keys.open_seed(self.origin, self.address, self._own_seeds, key_digest),
        )

    def open_sealed(self, row: SealedKey) -> bytes | None:
        """Return the key of an institution that a row seals to this account; None where it does not open."""
        return sealed_keys.open_row(self.origin, self._own_seeds, row)

    @property
    def places(self) -> dict[str, bool]:
        """The admitted institutions that this doctor belongs to now, and whether it holds their seeds."""
        return self.once("places", lambda: directory.places_of(self.address))

    @cached_property
    def recipients(self) -> list[str]:
        """Addresses whose envelopes this actor can open: its own, and its institutions'."""
        return [self.address, *sorted(place for place, has_seeds in self.places.items() if has_seeds)]
