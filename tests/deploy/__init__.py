"""The files in deploy/, and what docs/OPERATIONS.md says about more than one machine, as they stand."""
