"""Formats are tested as they are, the vault's cost included."""

from tests.hashers import real_vaults

__all__ = ["real_vaults"]
