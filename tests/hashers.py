"""Argon2id that costs nothing: most tests need people, and each would wait for the portal's.

The portals that tests start are processes of their own, and have the real one. So have tests of the formats.
"""

from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from django.contrib.auth.hashers import Argon2PasswordHasher

from accounts.crypto import vault
from accounts.crypto.derivation import KEY_BYTES

_REAL_KEY = vault._password_key


class QuickHasher(Argon2PasswordHasher):
    """Of passwords, at its least."""

    time_cost = 1
    memory_cost = 8
    parallelism = 1


def quick_key(password: str, salt: bytes, memory_kib: int, passes: int, lanes: int) -> bytes:
    """Of vaults, at its least, whatever a vault says that it costs."""
    del memory_kib, passes, lanes
    return Argon2id(salt=salt, length=KEY_BYTES, iterations=1, lanes=1, memory_cost=8).derive(
        password.encode()
    )


@pytest.fixture(autouse=True, scope="module")
def real_vaults() -> Iterator[None]:
    """For a folder whose conftest.py imports it: vaults as docs/FORMAT.md has them."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(vault, "_password_key", _REAL_KEY)
        yield
