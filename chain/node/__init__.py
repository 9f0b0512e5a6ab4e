"""The Ethereum node: requests to it, its answers with types, and which contract is in use."""
