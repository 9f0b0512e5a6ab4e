"""Programs of a portal with clocks of their own, to be stepped while they run (Debian's libfaketime)."""
