"""Whether a version can be read, and what its readers are told and can do where it cannot."""

from enum import StrEnum


class Readability(StrEnum):
    """What came of opening what others sealed. The values are the API's."""

    READABLE = "readable"
    KEY_MISSING = "key missing"
    """This reader has no key of it yet: the patient hands one over at a visit to the portal."""
    KEY_DAMAGED = "key damaged"
    """The envelope of the patient's grant holds no key."""
    OTHER_KEYS = "other keys"
    """It is the patient's own, under keys that were made elsewhere: this portal does not have them."""
    DAMAGED = "damaged"
    """The bytes are here, and are nothing under the key that belongs to them."""
    LOST = "lost"
    """The bytes, or the envelope with their key, were erased or were never stored."""
    NOT_ARRIVED = "not arrived"
    """The description or the key was put elsewhere, and is not here yet."""
    UNREACHABLE = "unreachable"
    """The file store does not answer, so nothing can be said."""

    @property
    def heading(self) -> str:
        """Return the text in the place of the record's title."""
        return _HEADINGS[self]

    @property
    def problem(self) -> str:
        """One sentence: what is the matter with the record."""
        return _PROBLEMS[self]

    @property
    def may_change(self) -> bool:
        """Return whether it may become readable without anybody's doing more than visiting."""
        return self in (Readability.KEY_MISSING, Readability.NOT_ARRIVED, Readability.UNREACHABLE)

    def advice(self, *, own: bool, way: str = "") -> str:
        """Return advice to the reader. `own`: it is the patient. `way`: the verb for putting it away."""
        if own and self in (Readability.DAMAGED, Readability.LOST):
            said = "Its author has to send it again."
            return f"{said} You can {way} it, and it leaves your lists." if way else said
        return _ADVICE[self]


_HEADINGS = {
    Readability.READABLE: "",
    Readability.KEY_MISSING: "Waiting for the patient's key",
    Readability.KEY_DAMAGED: "Key damaged",
    Readability.OTHER_KEYS: "Sealed to other keys of yours",
    Readability.DAMAGED: "Damaged record",
    Readability.LOST: "Lost record",
    Readability.NOT_ARRIVED: "Has not arrived here yet",
    Readability.UNREACHABLE: "Cannot be opened just now",
}
_PROBLEMS = {
    Readability.READABLE: "",
    Readability.KEY_MISSING: "The key of this record still waits for the patient.",
    Readability.KEY_DAMAGED: "The key that the patient shared is damaged.",
    Readability.OTHER_KEYS: "This record is sealed to keys of yours that this portal does not have.",
    Readability.DAMAGED: "This record is damaged and cannot be opened.",
    Readability.LOST: "The description or the key of this record was erased or lost.",
    Readability.NOT_ARRIVED: "This record was sent through another portal, and has not arrived here yet.",
    Readability.UNREACHABLE: "This record cannot be opened just now: the file store does not answer.",
}
_ADVICE = {
    Readability.READABLE: "",
    Readability.KEY_MISSING: "It comes by itself at the patient's next visit to the portal.",
    Readability.KEY_DAMAGED: "Ask the patient to share the record again.",
    Readability.OTHER_KEYS: "Open it where you replaced your keys.",
    Readability.DAMAGED: "Its author has to send it again, or the patient has to share it again.",
    Readability.LOST: "Its author has to send it again.",
    Readability.NOT_ARRIVED: "It is fetched by itself as soon as the other portal answers.",
    Readability.UNREACHABLE: "Try again in a few minutes.",
}
