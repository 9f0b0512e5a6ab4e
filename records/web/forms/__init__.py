"""Forms parse what a person entered. The services judge it."""
