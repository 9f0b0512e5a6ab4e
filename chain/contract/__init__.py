"""The contract as bytes: its ABI, the slots of its storage and of its acts, its refusals."""
