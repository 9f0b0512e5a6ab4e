"""A stolen password hash costs as much to guess at as the vault."""

from accounts.hashers import Argon2idHasher
from medrec import settings as portal


def test_the_portals_one_hasher_costs_what_the_vault_costs() -> None:
    assert portal.PASSWORD_HASHERS == ["accounts.hashers.Argon2idHasher"]
    hasher = Argon2idHasher()
    assert hasher.encode("nine small copper kettles", hasher.salt()).startswith(
        "argon2$argon2id$v=19$m=65536,t=3,p=1$"
    )
