"""Accepts acts, orders them, and notes how each ended."""
