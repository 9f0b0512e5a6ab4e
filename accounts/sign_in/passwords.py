"""Which passwords are refused: those that a guesser tries first.

The first promise rests on a password where somebody holds a copy of everything stored. Length alone does not
make one. Common passwords, patterns of the keyboard and dates are long, too. So are the words that everybody
knows of a person or of this portal, with a number behind them.
"""

import re

from django.core.exceptions import ValidationError
from zxcvbn import zxcvbn

from accounts.models import Institution, User

MOST_MEASURED = 72
"""Characters that zxcvbn takes. What comes behind them makes a password no weaker."""
LEAST_SCORE = 3
"""Of zxcvbn's 0 to 4: 10^8 guesses, each of which costs 64 MiB and about 0.15 s here."""
LEAST_BESIDE = 2
"""What is left beside the words that everybody knows: 10^6 guesses."""
SHORTEST_WORD = 3
PORTALS_WORDS = {
    *("medrec", "portal", "password", "record", "records", "patient", "patients", "doctor", "institution"),
    *("clinic", "hospital", "health", "healthcare", "medical", "medicine", "practice"),
}

COMMON = (
    "This password is easy to guess: guessing programs try common passwords, keyboard patterns, dates and "
    "repeated words first. "
)
KNOWN_WORDS = (
    "This password is easy to guess: it is made of words that everybody knows of you, of your institution "
    "or of this portal. "
)
ADVICE = "Take four words that have nothing to do with each other, or let a password manager make one."


class GuessablePasswordValidator:
    """Refuses what zxcvbn finds easy to guess, with or without the words that everybody knows."""

    def validate(self, password: str, user: User | None = None) -> None:
        """Raise ValidationError for a password that is tried first."""
        words = known_words(user)
        beside = _beside(password, words)
        if beside is not None and _score(beside, words) < LEAST_BESIDE:
            raise ValidationError(KNOWN_WORDS + ADVICE, code="password_known_words")
        if _score(password, words) < LEAST_SCORE:
            raise ValidationError(COMMON + ADVICE, code="password_guessable")

    def get_help_text(self) -> str:
        """What to take."""
        return ADVICE


def known_words(user: User | None) -> list[str]:
    """The portal's words, institutions' names, the person's name and e-mail address; longest first."""
    texts = [*Institution.objects.values_list("name", flat=True)]
    if user is not None:
        texts += [user.name, user.email]
    words = {word for text in texts for word in re.split(r"[\W\d_]+", text.lower())}
    return sorted(
        (word for word in words | PORTALS_WORDS if len(word) >= SHORTEST_WORD), key=len, reverse=True
    )


def _beside(password: str, words: list[str]) -> str | None:
    """The letters that are left beside the known words; None where there are no known words."""
    known = re.compile("|".join(re.escape(word) for word in words), re.IGNORECASE)
    left, removed = known.subn("", password)
    return re.sub(r"[\W\d_]", "", left) if removed else None


def _score(password: str, words: list[str]) -> int:
    if not password:
        return 0
    return int(zxcvbn(password[:MOST_MEASURED], user_inputs=words, max_length=MOST_MEASURED)["score"])
