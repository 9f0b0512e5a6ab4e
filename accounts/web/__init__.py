"""The pages about people, keys and institutions."""
