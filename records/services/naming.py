"""Whose name an account may read. An address is public, so asking about one must not tell who it is.

The rule (docs/OPERATIONS.md says it to those who run a portal):

- An institution is public. So is a doctor whom an admitted institution affiliates, or once did: they act
  under their names.
- People of one institution know each other.
- A patient is named to those whom the patient granted access, for good, and to nobody else.
- A person is named to herself, under each of her accounts.

Anybody else looks like an address that nobody here has. What the chain tells of every address, such as the
fingerprint of its key, is no secret.

Only this module asks the directory for people, and a test holds that.
"""

from collections.abc import Iterable

from accounts.actor import Actor
from accounts.directory import Person, names_of, people_of, unnamed
from accounts.models import Account, Admission, Affiliation, Membership
from records.access import held_by
from records.models import Grant


def people_named_to(actor: Actor, addresses: Iterable[str]) -> dict[str, Person]:
    """Return the people behind these addresses, as far as the actor may know them, without their keys."""
    known: dict[str, Person] = actor.once("people", dict)
    wanted = set(addresses)
    known |= _known_to(actor, names_of(wanted - known.keys(), known=[actor.account]))
    return {address: known[address] for address in wanted}


def person_named_to(actor: Actor, address: str) -> Person:
    """Return the person behind one address, with institutions and key, as far as the actor may know her."""
    return _known_to(actor, people_of([address]))[address]


def _known_to(actor: Actor, people: dict[str, Person]) -> dict[str, Person]:
    hidden = _strangers(actor, people)
    return {
        address: unnamed(address, person.key_fingerprint) if address in hidden else person
        for address, person in people.items()
    }


def _strangers(actor: Actor, people: dict[str, Person]) -> set[str]:
    """The known people among these whom the actor may not know."""
    known = {
        address: person.kind
        for address, person in people.items()
        if person.known and address != actor.address
    }
    patients = {address for address, kind in known.items() if kind == Account.Kind.PATIENT}
    doctors = {address for address, kind in known.items() if kind == Account.Kind.PRACTITIONER}
    if patients:
        granting = Grant.objects.filter(held_by(actor), patient__in=patients)
        patients -= set(granting.values_list("patient", flat=True))
    if doctors:
        admitted = Admission.objects.values("institution")
        public = Affiliation.objects.filter(doctor__in=doctors, institution__in=admitted)
        doctors -= set(public.values_list("doctor", flat=True))
    strangers = patients | doctors
    return strangers - _close_to(actor, strangers) if strangers else strangers


def _close_to(actor: Actor, addresses: set[str]) -> set[str]:
    """Those of the addresses that are the actor's own, or of people of the actor's institutions."""
    own = Account.objects.filter(address__in=addresses, user=actor.user)
    found = set(own.values_list("address", flat=True))
    if actor.kind == Account.Kind.PRACTITIONER:
        places = Membership.objects.filter(account=actor.account).values("institution")
        colleagues = Membership.objects.filter(account__address__in=addresses, institution__in=places)
        found |= set(colleagues.values_list("account__address", flat=True))
    return found
