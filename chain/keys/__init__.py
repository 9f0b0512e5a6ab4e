"""Signing keys: secp256k1, the portal's own keys, their files, and their roles in the contract."""
