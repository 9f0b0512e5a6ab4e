"""medrec-open: what a recovery phrase opens, without MedRec. Source: docs/FORMAT.md."""
