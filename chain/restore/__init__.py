"""Notices that the database was restored from a backup, and what it forgot."""
