"""A thief of everything stored can read nothing."""
