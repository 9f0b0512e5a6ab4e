"""Whose name an actor may read. An address is public, so asking about one must not tell who it is."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from accounts.actor import Actor
from accounts.models import Account
from accounts.services.directory import Person, people_of
from records.access import held_by
from records.models import Grant


def people_named_to(
    actor: Actor, addresses: Iterable[str], find: Callable[[Iterable[str]], dict[str, Person]] = people_of
) -> dict[str, Person]:
    """The people behind these addresses; a patient who never gave this actor access has an empty name."""
    people = find(addresses)
    patients = {
        address
        for address, person in people.items()
        if person.kind == Account.Kind.PATIENT and address != actor.address
    }
    if not patients:
        return people
    met = Grant.objects.filter(held_by(actor), patient__in=patients).values_list("patient", flat=True)
    strangers = patients - set(met)
    return {
        address: replace(person, name="") if address in strangers else person
        for address, person in people.items()
    }
