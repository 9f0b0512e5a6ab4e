"""A password hasher that costs nothing: most tests need people, and each would wait for the portal's."""

from django.contrib.auth.hashers import Argon2PasswordHasher


class QuickHasher(Argon2PasswordHasher):
    """Argon2id at its least. The portals that tests start use the real one, as does the vault everywhere."""

    time_cost = 1
    memory_cost = 8
    parallelism = 1
