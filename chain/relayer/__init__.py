"""Sending: acts from the outbox in batches, each batch one transaction of a relayer key."""
