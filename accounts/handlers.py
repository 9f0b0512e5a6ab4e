"""What follows from events and settled acts outside the directory: memberships, keys, errands."""

from collections.abc import Sequence

from django.contrib.sessions.models import Session

from accounts.directory import mended_keys
from accounts.models import Account, Institution, Membership, OpenVault, PublishedKey
from accounts.services import affiliations, errands, institution_keys
from chain.models import Act, ActState, Event
from chain.outbox.submit import last_number
from chain.registry import on_act_settled, on_news, on_restore

LOST = (ActState.FAILED, ActState.RETURNED)


@on_news("DoctorAffiliated")
def follow_affiliations(events: Sequence[Event]) -> None:
    """Affiliations that their institutions ended."""
    for event in events:
        if not event["affiliated"]:
            _follow_leaving(event, event["author"], event["doctor"])


@on_news("InstitutionLeft")
def follow_leavings(events: Sequence[Event]) -> None:
    """Affiliations that the doctors ended."""
    for event in events:
        _follow_leaving(event, event["institution"], event["author"])


@on_news("KeyPublished", "KeysReplaced")
def hand_over_keys(events: Sequence[Event]) -> None:
    """Members whose keys could not be used have other ones: they get the institution's keys."""
    members = Membership.objects.select_related("institution", "account").filter(
        account__address__in=mended_keys(events), state=Membership.State.ACTIVE
    )
    for row in members.exclude(institution__address=""):
        doctor = row.role == Membership.Role.DOCTOR
        kind, address = "seal-seeds" if doctor else "seal-entropy", row.account.address
        institution_keys.leave_errand_for_managers(row.institution, kind, address, but=address)


@on_news("KeyPublished")
def follow_own_keys(events: Sequence[Event]) -> None:
    """An institution of this portal has a newer key than is known here: the database was restored.

    Its doctors get the seeds of all versions up to it, once a manager comes.
    """
    for event in events:
        older = Account.objects.filter(
            address=event["author"], kind=Account.Kind.INSTITUTION, key_version__lt=event["version"]
        )
        if older.update(key_version=event["version"]):
            institution = Institution.objects.get(address=event["author"])
            for doctor in affiliations.doctors_of(institution):
                institution_keys.leave_errand_for_managers(institution, "seal-seeds", doctor)


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


@on_restore
def end_sessions() -> None:
    """Whoever has signed out since the backup would be signed in again: all sign in anew."""
    Session.objects.all().delete()
    OpenVault.objects.all().delete()


@on_act_settled("AffiliateDoctor")
def end_affiliation_again(act: Act) -> None:
    """An affiliation whose end did not land is ended at a manager's next visit."""
    institution = Institution.objects.filter(address=act.author).first()
    if act.state in LOST and not act.fields["affiliated"] and institution is not None:
        doctor = act.fields["doctor"]
        institution_keys.leave_errand_for_managers(institution, affiliations.END_AFFILIATION, doctor)


@on_act_settled("LeaveInstitution")
def leave_again(act: Act) -> None:
    """A doctor's leaving that did not land is signed again at the doctor's next visit."""
    if act.state in LOST:
        institution = act.fields["institution"]
        errands.add_errand(account=act.author, kind=affiliations.LEAVE_AGAIN, subject=institution)


def _follow_leaving(event: Event, address: str, doctor: str) -> None:
    """The portal's side of a leaving that the chain tells: seeds go, and the sharing key must move on."""
    institution = Institution.objects.filter(address=address).first()
    if institution is None or last_number(event.slot) > event.number:
        # Another portal's, or overtaken: the doctor has come back since.
        return
    if doctor in affiliations.doctors_of(institution):
        # Otherwise the portal knew first, and has seen to it.
        affiliations.end_membership(institution, doctor)
        affiliations.leave_rotation(institution, doctor)
