"""People for tests, made by the portal's own services: quick, with open keys, under fresh addresses."""

import secrets
from datetime import date

from accounts.actor import Actor
from accounts.crypto.bundle import KeyBundle
from accounts.models import Institution, Membership, User
from accounts.services import invitations, signup

PASSWORD = "correct horse battery"
BORN = date(1980, 5, 17)


def fresh_email(name: str) -> str:
    """An address nobody has used."""
    return f"{name.split()[0].lower()}-{secrets.token_hex(4)}@example.org"


def make_person(name: str = "Ada Moss", *, roles: tuple[str, ...] = ("patient",)) -> User:
    """A user with a verified e-mail, a confirmed phrase and PASSWORD."""
    return _create(name, roles)[0]


def make_patient(name: str = "Ada Moss") -> Actor:
    """A patient's open actor. The key's publication is queued."""
    return signup.actors_of(*_create(name, ("patient",)))[0]


def _create(name: str, roles: tuple[str, ...]) -> tuple[User, KeyBundle]:
    return signup.create_person(
        email=fresh_email(name),
        name=name,
        date_of_birth=BORN,
        password=PASSWORD,
        roles=roles,
        phrase_confirmed=True,
    )


def make_institution(name: str = "Ruby Hospital") -> tuple[Institution, Actor]:
    """An institution with keys, and its manager's open actor."""
    institution = invitations.create_institution(name=f"{name} {secrets.token_hex(4)}")
    return institution, join(institution, "Max Ward", role=Membership.Role.MANAGER)


def make_doctor(institution: Institution, name: str = "Dana Reed") -> Actor:
    """A doctor who has accepted an invitation; not affiliated yet."""
    return join(institution, name, role=Membership.Role.DOCTOR)


def join(institution: Institution, name: str, *, role: str) -> Actor:
    """A new user who accepts an invitation into the institution. `institution` is refreshed."""
    secret = invitations.invite_member(
        institution=institution, email=fresh_email(name), role=role, invited_by=None
    )
    actor = invitations.register_member(
        secret=secret, name=name, date_of_birth=BORN, password=PASSWORD, phrase_confirmed=True
    )
    institution.refresh_from_db()
    return actor
