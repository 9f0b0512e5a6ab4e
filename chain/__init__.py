"""Everything Ethereum: acts, outbox, relayer, indexer. It knows addresses and digests, and no people."""
