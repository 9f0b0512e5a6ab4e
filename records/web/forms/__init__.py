"""Forms parse what a person entered; the services judge it."""
