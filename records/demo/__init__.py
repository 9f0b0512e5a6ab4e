"""The demo: people, institutions and records for a first look, every file made by code."""
