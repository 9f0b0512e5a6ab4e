"""Frozen examples of every format (docs/FORMAT.md), and a second implementation to check them with."""
