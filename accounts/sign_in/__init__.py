"""Signing in: its stages, second factors, limits, and what is told about it."""
