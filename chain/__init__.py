"""Everything Ethereum. This app knows addresses and digests, and no people.

The rooms, from the ground up: support, contract, node, keys, acts, models, registry, restore, outbox,
indexer, relayer, status, reconcile, operations. A room imports from those before it alone.
"""
