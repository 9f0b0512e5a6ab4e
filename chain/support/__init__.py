"""Small parts that know nothing of the chain. The other apps use them, too."""
