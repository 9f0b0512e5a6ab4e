"""The only password hasher: a stolen hash must not be cheaper to guess at than the vault."""

from django.contrib.auth.hashers import Argon2PasswordHasher


class Argon2idHasher(Argon2PasswordHasher):
    """Argon2id, 64 MiB, 3 passes, 1 lane: what the vault costs (docs/FORMAT.md)."""

    time_cost = 3
    memory_cost = 64 * 1024
    parallelism = 1
