"""Fixtures of every test: each part's own live beside it."""
