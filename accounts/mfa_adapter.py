"""Second factors, sealed in the database under a key made from SECRET_KEY: a copy of it alone has none."""

import base64
from typing import Any, ClassVar

from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings

from accounts.crypto.derivation import derive, labelled
from accounts.crypto.vault import open_under, seal_under

_ASSOCIATED = b"medrec/v1/second-factor"


def _key() -> bytes:
    return derive(settings.SECRET_KEY.encode(), labelled("second-factor"))


class MFAAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """Seals TOTP secrets and the seeds of recovery codes."""

    error_messages: ClassVar[dict[str, Any]] = DefaultMFAAdapter.error_messages | {
        "incorrect_code": "Incorrect code. A code lasts half a minute and counts once: take the next one "
        "that your app shows. If that is refused too, let your phone set its clock by itself."
    }

    def encrypt(self, text: str) -> str:
        """A secret as it is kept: base64 of AES-256-GCM."""
        return base64.b64encode(seal_under(_key(), text.encode(), _ASSOCIATED)).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """The secret. Raises CannotOpen under another SECRET_KEY."""
        return open_under(_key(), base64.b64decode(encrypted_text), _ASSOCIATED).decode()
