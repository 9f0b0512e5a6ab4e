"""The matrix uses the records' clinic and chain."""

from tests.records.conftest import clinic, patient, store_folder

__all__ = ["clinic", "patient", "store_folder"]
