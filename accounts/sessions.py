"""Sessions in the database: found by a digest of the cookie, sealed under a key that only the cookie gives.

SESSION_ENGINE names this module. A copy of the database holds no session that can be used, and none of what
allauth keeps in one: e-mail codes, reset keys, the secret of a second factor that is being set up.
"""

import base64
import hashlib
import json
import logging
from typing import Any

from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.contrib.sessions.base_session import AbstractBaseSession
from django.utils import timezone

from accounts.crypto.derivation import derive, labelled
from accounts.crypto.errors import CannotOpen
from accounts.crypto.vault import open_under, seal_under

logger = logging.getLogger("accounts.sessions")

ROW_ID_BYTES = 30
"""240 bits of the digest: 40 characters of base64, as many as Django's column holds."""


def row_id(cookie: str) -> str:
    """The primary key of a cookie's row: a digest that the cookie cannot be found from."""
    digest = hashlib.sha256(labelled("session-row", cookie.encode())).digest()
    return base64.urlsafe_b64encode(digest[:ROW_ID_BYTES]).decode()


def seal_session(cookie: str, values: dict[str, Any]) -> str:
    """A session's values as its row holds them: base64 of AES-256-GCM."""
    plaintext = json.dumps(values, separators=(",", ":")).encode()
    return base64.b64encode(seal_under(_key(cookie), plaintext, _associated(cookie))).decode()


def open_session(cookie: str, sealed: bytes | str) -> dict[str, Any]:
    """The values of a row. Raises CannotOpen or ValueError for what this cookie did not seal."""
    plaintext = open_under(_key(cookie), base64.b64decode(sealed, validate=True), _associated(cookie))
    return dict(json.loads(plaintext))


class SessionStore(DatabaseStore):
    """Django's sessions in the database, whose rows do not tell the cookie."""

    # Django's own asynchronous ones use the cookie as the row's key: these call the ones below.
    aexists, acreate, asave = SessionBase.aexists, SessionBase.acreate, SessionBase.asave
    adelete, aload = SessionBase.adelete, SessionBase.aload

    def exists(self, session_key: str) -> bool:
        """Whether a cookie has a row."""
        return super().exists(row_id(session_key))

    def delete(self, session_key: str | None = None) -> None:
        """Delete a cookie's row, or this session's."""
        cookie = session_key or self.session_key
        if cookie is not None:
            super().delete(row_id(cookie))

    def encode(self, session_dict: dict[str, Any]) -> str:
        """Seal values under this session's cookie."""
        if self.session_key is None:
            raise ValueError("a session without a cookie is not saved")
        return seal_session(self.session_key, session_dict)

    def decode(self, session_data: bytes | str) -> dict[str, Any]:
        """Open values sealed under this session's cookie; an empty session for any others."""
        try:
            return open_session(self.session_key or "", session_data)
        except (CannotOpen, ValueError, TypeError):
            logger.warning("a session row could not be opened")
            return {}

    def create_model_instance(self, data: dict[str, Any]) -> AbstractBaseSession:
        """The row that is saved."""
        row = super().create_model_instance(data)
        row.session_key = row_id(row.session_key)
        return row

    def _get_session_from_db(self) -> AbstractBaseSession | None:
        row: AbstractBaseSession | None = None
        if self.session_key is not None:
            live = self.model.objects.filter(expire_date__gt=timezone.now())
            row = live.filter(session_key=row_id(self.session_key)).first()
        if row is None:
            self._session_key = None
        return row


def _key(cookie: str) -> bytes:
    # Cookies are 32 random characters of 36; a shorter one was made by nobody here, and opens nothing.
    return derive(cookie.encode().ljust(16, b"\x00"), labelled("session-data"))


def _associated(cookie: str) -> bytes:
    return labelled("session-data", row_id(cookie).encode())
