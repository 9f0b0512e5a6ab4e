"""The matrix uses the records' clinic and chain."""

from tests.records.conftest import chain, chain_node, clinic, patient, store_folder

__all__ = ["chain", "chain_node", "clinic", "patient", "store_folder"]
