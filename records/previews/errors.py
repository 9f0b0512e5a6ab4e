"""Why something cannot be shown."""


class CannotShow(Exception):
    """`str()` says in plain words why there is no preview. The file itself may still be saved."""


class NoSuchFrame(CannotShow):
    """The picture has fewer frames."""


class TooBusy(CannotShow):
    """Other pictures are being decoded just now."""
