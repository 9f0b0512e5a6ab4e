"""Phrases, keys, sealing and vaults: pure functions of bytes, no Django. Layouts: docs/FORMAT.md."""
