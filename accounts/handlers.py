"""The directory projection: what the chain's events say about keys, admissions and affiliations.

Called in block order, in the transaction that marks the event applied; each may be called again.
"""

from typing import Any

from django.db.models import Model
from eth_utils.crypto import keccak

from accounts.models import Admission, Affiliation, Institution, PublishedKey
from accounts.services import affiliations, errands, institution_keys
from chain.handlers import on_act_settled, on_event, on_reset
from chain.models import Act, ActState, Event
from chain.outbox import last_number

LOST = (ActState.FAILED, ActState.RETURNED)


@on_event("KeyPublished")
def record_published_key(event: Event) -> None:
    """A new version of an account's sharing key."""
    _record_key(event, generation=_generation_of(event.args["author"]))


@on_event("KeysReplaced")
def record_replaced_keys(event: Event) -> None:
    """A new generation of an account brings its own sharing key."""
    _record_key(event, generation=event.args["generation"])


@on_event("InstitutionAdmitted")
def record_admission(event: Event) -> None:
    """An institution was admitted or suspended."""
    args = event.args
    found = {"institution": args["institution"]}
    _record_latest(Admission, found, event, admitted=args["admitted"])


@on_event("DoctorAffiliated")
def record_affiliation(event: Event) -> None:
    """A doctor was affiliated, or the affiliation ended by the institution."""
    args = event.args
    found = {"institution": args["author"], "doctor": args["doctor"]}
    if _record_latest(Affiliation, found, event, affiliated=args["affiliated"]) and not args["affiliated"]:
        _follow_leaving(event, args["author"], args["doctor"])


@on_event("InstitutionLeft")
def record_leaving(event: Event) -> None:
    """A doctor ended the affiliation."""
    args = event.args
    found = {"institution": args["institution"], "doctor": args["author"]}
    if _record_latest(Affiliation, found, event, affiliated=False):
        _follow_leaving(event, args["institution"], args["author"])


@on_act_settled("PublishKey")
def publish_again(act: Act) -> None:
    """A key whose publication did not land becomes an errand of its account (or its managers) again."""
    version = act.fields["version"]
    if act.state not in LOST or PublishedKey.objects.filter(account=act.author, version=version).exists():
        return
    institution = Institution.objects.filter(address=act.author).first()
    if institution is None:
        errands.add_errand(account=act.author, kind="publish-key", subject=act.author)
    else:
        institution_keys.leave_errand_for_managers(institution, "publish-institution-key", str(version))


@on_act_settled("AffiliateDoctor")
def ask_to_affiliate_again(act: Act) -> None:
    """An affiliation that did not land asks its managers for another click."""
    institution = Institution.objects.filter(address=act.author).first()
    doctor = act.fields["doctor"]
    lost = act.state in LOST and act.fields["affiliated"]
    if lost and institution is not None and doctor in affiliations.doctors_of(institution):
        institution_keys.leave_errand_for_managers(institution, "affiliate-doctor", doctor)


@on_reset
def forget_directory() -> None:
    """Empty the projection before the archive of events is applied anew."""
    for model in (PublishedKey, Admission, Affiliation):
        model.objects.all().delete()


def _record_key(event: Event, *, generation: int) -> None:
    key = bytes.fromhex(event.args["key"].removeprefix("0x"))
    PublishedKey.objects.update_or_create(
        account=event.args["author"],
        version=event.args["version"],
        defaults={
            "generation": generation,
            "key": key,
            "digest": "0x" + keccak(key).hex(),
            "block_number": event.block_number,
        },
    )


def _generation_of(account: str) -> int:
    latest = PublishedKey.objects.filter(account=account).order_by("-version").first()
    return latest.generation if latest else 0


def _record_latest(model: type[Model], found: dict[str, str], event: Event, **values: Any) -> bool:
    """Keep what has the highest serial; False if a later one is on record."""
    manager: Any = model._default_manager
    row = manager.filter(**found).first()
    if row is not None and row.serial > event.args["serial"]:
        return False
    manager.update_or_create(
        **found,
        defaults={**values, "serial": event.args["serial"], "block_number": event.block_number},
    )
    return True


def _follow_leaving(event: Event, address: str, doctor: str) -> None:
    """The portal's side of a leaving that the chain tells: seeds go, and the sharing key must move on."""
    institution = Institution.objects.filter(address=address).first()
    if institution is None or last_number(event.slot) > event.number:
        # Another portal's, or told again when the projection is rebuilt: the doctor has come back since.
        return
    if doctor in affiliations.doctors_of(institution):
        # Otherwise the portal knew first, and has seen to it.
        affiliations.end_membership(institution, doctor)
        affiliations.leave_rotation(institution, doctor)
