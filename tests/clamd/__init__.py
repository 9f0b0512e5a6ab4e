"""A real clamd for tests, with one signature of its own."""
