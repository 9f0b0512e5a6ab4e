"""Reads the chain's events into the archive, through reorganisations."""
