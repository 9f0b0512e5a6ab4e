"""Files, folders and envelopes of records: pure functions of bytes, no Django. Layouts: docs/FORMAT.md."""
