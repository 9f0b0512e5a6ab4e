"""Makes a patient in the portal that VAR names, prints an API token: `python -m tests.bench.patient`."""

import os
import sys
from datetime import date

import django


def main(email: str = "bench@patients.example") -> None:
    """Through the services. The keys stay in this process."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "medrec.settings")
    django.setup()
    from accounts.services import signup, tokens

    user, bundle = signup.create_person(
        email=email,
        name="Bench",
        date_of_birth=date(1990, 1, 1),
        password="figures for the bench",
        phrase_confirmed=True,
    )
    (actor,) = signup.actors_of(user, bundle)
    _, secret = tokens.make_token(actor=actor, name="bench", scope="act", days=1)
    sys.stdout.write(secret + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
