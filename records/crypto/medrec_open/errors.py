"""What can go wrong, in words for whoever runs the command."""


class Refused(ValueError):
    """Something is not what it should be. The text says what."""


class Busy(Refused):
    """A node or store does not answer now: the same question may be answered later."""

    def __init__(self, words: str, wait: float = 0.0) -> None:
        """`wait`: seconds that it asks to be left alone for."""
        super().__init__(words)
        self.wait = wait
