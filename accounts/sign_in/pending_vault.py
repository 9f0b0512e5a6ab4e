"""Keys that the password has opened while a later stage of sign-in is still to come.

The password is known at the first stage alone, and the vault opens after the last. In between the keys
wait in the session, whose row is sealed under the browser's cookie (accounts.sessions). The browser holds
no vault cookie, no row of an opened vault exists, and the password itself is kept nowhere. The keys wait
as long as allauth lets a sign-in take, and only while the password is the one that opened them.
"""

import base64
import time

from allauth.account import app_settings
from django.contrib.sessions.backends.base import SessionBase

from accounts.crypto.bundle import KeyBundle
from accounts.models import User

PENDING = "pending_vault"
UNOPENED = "vault_never_opened"


def keep_pending(session: SessionBase, user: User, bundle: KeyBundle) -> None:
    """Keep the keys until the last stage; those of an earlier attempt go."""
    session[PENDING] = {
        "user": str(user.pk),
        "password": user.get_session_auth_hash(),
        "at": time.time(),
        "bundle": base64.b64encode(bundle.to_bytes()).decode(),
    }


def take_pending(session: SessionBase, user: User) -> KeyBundle | None:
    """Take the keys out of the session; None if there are none of this user's, or they waited too long."""
    kept = session.pop(PENDING, None)
    if kept is None or kept["user"] != str(user.pk) or kept["password"] != user.get_session_auth_hash():
        return None
    if time.time() - kept["at"] > app_settings.LOGIN_TIMEOUT:
        return None
    return KeyBundle.from_bytes(base64.b64decode(kept["bundle"]))


def limit_pending(session: SessionBase) -> None:
    """Let a session that waits for a later stage end with that stage, so that the sweep deletes its row."""
    if PENDING in session:
        session.set_expiry(app_settings.LOGIN_TIMEOUT)


def note_unopened(session: SessionBase) -> None:
    """Remember that a sign-up has ended with the mailed code: the password has opened no vault here yet."""
    session[UNOPENED] = True


def is_unopened(session: SessionBase) -> bool:
    """Whether this session came from a sign-up, and no vault was opened in it since."""
    return UNOPENED in session


def forget_unopened(session: SessionBase) -> None:
    """Forget it: the vault was opened."""
    session.pop(UNOPENED, None)
