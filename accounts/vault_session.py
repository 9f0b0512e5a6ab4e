"""An opened vault in one browser: the cookie has the key, the database what it opens."""

import base64
import binascii
import hashlib
import json
import secrets
from contextlib import suppress
from datetime import datetime, timedelta
from http.cookies import SimpleCookie

from django.conf import settings
from django.db import OperationalError
from django.http import HttpResponse
from django.utils import timezone

from accounts.cookies import host_cookie
from accounts.crypto.bundle import KeyBundle
from accounts.crypto.derivation import labelled
from accounts.crypto.vault import open_under, seal_under
from accounts.models import OpenVault, User

NAME = "medrec_vault"
COOKIE = host_cookie(NAME)
TOUCH_EVERY = timedelta(seconds=60)


def forget_expired(now: datetime) -> int:
    """Delete the rows of vaults that idleness or age has closed; returns how many."""
    idle = OpenVault.objects.filter(seen_at__lt=now - timedelta(seconds=settings.VAULT_IDLE_SECONDS))
    old = OpenVault.objects.filter(opened_at__lt=now - timedelta(seconds=settings.VAULT_MAX_SECONDS))
    return idle.delete()[0] + old.delete()[0]


class VaultSession:
    """What this browser's vault cookie opens. Nothing but this object ever sees the key."""

    def __init__(self, cookie: str | None) -> None:
        self.__key = _decode(cookie)
        self.__row: OpenVault | None = None
        self.__loaded = False
        self.__write = False
        self.__delete = cookie is not None and self.__key is None

    def __repr__(self) -> str:
        return "<VaultSession>"

    def is_open(self, user: User) -> bool:
        """Whether this browser has this user's keys open."""
        return self._live_row(user) is not None

    def bundle(self, user: User) -> KeyBundle | None:
        """The user's key bundle, or None while the vault is closed."""
        row = self._live_row(user)
        if row is None or self.__key is None:
            return None
        return KeyBundle.from_bytes(open_under(self.__key, bytes(row.sealed), _associated(user, "bundle")))

    def open(self, user: User, bundle: KeyBundle) -> None:
        """Keep the bundle for this browser under a fresh key; whatever it had open before is closed."""
        self.close()
        self.__key = secrets.token_bytes(32)
        self.__row = OpenVault.objects.create(
            id=_row_id(self.__key),
            user=user,
            sealed=seal_under(self.__key, bundle.to_bytes(), _associated(user, "bundle")),
        )
        self.__loaded, self.__write, self.__delete = True, True, False

    def close(self) -> None:
        """Forget what is open here, and take the cookie back."""
        if self.__key is not None:
            OpenVault.objects.filter(pk=_row_id(self.__key)).delete()
            self.__delete = True
        self.__key, self.__row, self.__loaded, self.__write = None, None, True, False

    def touch(self, user: User) -> None:
        """Somebody is at the keyboard: the idle time starts anew (written at most once a minute)."""
        row = self._live_row(user)
        now = timezone.now()
        if row is not None and now - row.seen_at > TOUCH_EVERY:
            with suppress(OperationalError):  # a full disk fails no read
                OpenVault.objects.filter(pk=row.pk).update(seen_at=now)

    def keep_phrase_check(self, user: User, words: dict[int, str]) -> None:
        """Remember, sealed, the words of the phrase that will be asked back (place -> word)."""
        row = self._live_row(user)
        if row is not None and self.__key is not None:
            sealed = seal_under(self.__key, json.dumps(words).encode(), _associated(user, "phrase-check"))
            OpenVault.objects.filter(pk=row.pk).update(phrase_check=sealed)

    def phrase_check(self, user: User) -> dict[int, str] | None:
        """The words to be asked back, or None where no phrase was shown in this session."""
        row = self._live_row(user)
        if row is None or self.__key is None or row.phrase_check is None:
            return None
        words = json.loads(open_under(self.__key, bytes(row.phrase_check), _associated(user, "phrase-check")))
        return {int(place): word for place, word in words.items()}

    def write_cookie(self, response: HttpResponse) -> None:
        """Give the key to the browser, or take it back, if this request changed it."""
        if self.__write and self.__key is not None:
            response.set_cookie(
                COOKIE,
                base64.urlsafe_b64encode(self.__key).decode(),
                httponly=True,
                secure=settings.SESSION_COOKIE_SECURE,
                samesite="Lax",
            )
        elif self.__delete:
            response.delete_cookie(COOKIE, samesite="Lax")

    def _live_row(self, user: User) -> OpenVault | None:
        if not self.__loaded:
            self.__loaded = True
            if self.__key is not None:
                now = timezone.now()
                self.__row = OpenVault.objects.filter(
                    pk=_row_id(self.__key),
                    seen_at__gt=now - timedelta(seconds=settings.VAULT_IDLE_SECONDS),
                    opened_at__gt=now - timedelta(seconds=settings.VAULT_MAX_SECONDS),
                ).first()
        # The cookie alone opens nothing: the session must be the same user's.
        return self.__row if self.__row is not None and self.__row.user_id == user.pk else None


def take_cookie(environ: dict[str, object]) -> str | None:
    """Take the vault cookie out of a WSGI environ's HTTP_COOKIE; returns its value."""
    header = str(environ.get("HTTP_COOKIE", ""))
    if NAME not in header:
        return None
    pairs = [pair.strip() for pair in header.split(";")]
    # Whatever looks like it goes, badly quoted or twice: nothing after this may see the key.
    environ["HTTP_COOKIE"] = "; ".join(pair for pair in pairs if NAME not in pair)
    mine = [pair for pair in pairs if pair.startswith(f"{COOKIE}=")]
    parsed = SimpleCookie(mine[-1]).get(COOKIE) if mine else None
    return parsed.value if parsed else ""


def _decode(cookie: str | None) -> bytes | None:
    try:
        key = base64.b64decode((cookie or "").encode(), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if len(key) == 32 else None


def _row_id(key: bytes) -> str:
    return hashlib.sha256(labelled("open-vault", key)).hexdigest()


def _associated(user: User, purpose: str) -> bytes:
    return labelled(f"session-{purpose}", user.pk.bytes)
