"""Through which institutions a doctor may act, as choices of a form."""

from django.http import HttpRequest

from accounts import directory
from accounts.actor import Actor
from accounts.directory import parse_address
from records.errors import NotFound, OtherPatient
from records.services import consent
from records.shapes import PatientView
from records.web.doors import DOCTOR, PATIENT
from records.web.forms.documents import Choices


def patient_named(request: HttpRequest, actor: Actor) -> str | None:
    """Return the patient in the page's address (?patient=), None where a patient acts for itself.

    Raises OtherPatient for a patient's account on a page for somebody else, BadAddress.
    """
    address = request.GET.get("patient", "")
    if actor.kind != PATIENT:
        return parse_address(address)
    if address and parse_address(address) != actor.address:
        raise OtherPatient
    return None


def folder_named(request: HttpRequest, choices: Choices) -> str:
    """Return the folder in the page's address (?folder=), else the first one. Raises NotFound."""
    number = request.GET.get("folder", "1")
    if number not in dict(choices):
        raise NotFound("There is no such folder.")
    return number


def place_named(request: HttpRequest, places: Choices) -> str:
    """Return the institution in the page's address (?via=), "" where none is named. Raises NotFound."""
    via = request.GET.get("via", "")
    if via and via not in dict(places):
        raise NotFound("You do not belong to this institution now.")
    return via


def own_places(actor: Actor) -> Choices:
    """A doctor's institutions; nothing for anybody else."""
    if actor.kind != DOCTOR:
        return []
    return [
        (institution.address, institution.name) for institution in directory.affiliations_of(actor.address)
    ]


def places_for(actor: Actor, patient: str) -> Choices:
    """The same for acting on a patient's records; nothing when the patient acts."""
    return [] if actor.address == patient else own_places(actor)


def grant_from(actor: Actor, patient: str, via: str | None = None) -> PatientView | None:
    """What this doctor holds of a patient, through that institution (or the first)."""
    views = consent.patients_of(actor=actor, patient=patient)
    return next((view for view in views if via in (None, "", view.via)), None)


def writable_folders(view: PatientView | None) -> Choices:
    """Folders that a doctor may add to; the inbox is always open."""
    choices = []
    if view is not None:
        names = {int(scope.scope, 16): scope.name for scope in view.scopes if scope.kind == "folder"}
        choices = [(str(number), names.get(number, "")) for number in view.writable_folders]
    return [*choices, ("0", "The patient's inbox")]
