"""The documentation says what the code has: settings, paths, sections, names and commands."""
