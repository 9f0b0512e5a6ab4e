"""Affiliating doctors on the chain, handing them the institution's seeds, and taking leave."""

from django.db import transaction
from django.urls import reverse

from accounts import directory
from accounts.actor import Actor
from accounts.crypto.keys import signing_key
from accounts.errors import NoPublishedKey, NotAllowed, UnusableKey
from accounts.models import Account, Affiliation, Errand, Institution, Membership, SealedKey
from accounts.services import errands, institution_keys
from accounts.services.institution_keys import INDEX
from accounts.services.keys import is_published_or_waiting
from accounts.services.limits import wait_in_line
from chain.acts.messages import prepare_act, sign_act
from chain.contract.slots import slot_affiliation, slot_key
from chain.errors import KeyMismatch
from chain.models import Act
from chain.outbox.submit import next_number, submit_act

END_AFFILIATION = "end-affiliation"
LEAVE_AGAIN = "leave-institution"


def affiliate_doctor(*, actor: Actor, institution: Institution, doctor: str) -> Act:
    """Sign, with the institution's key, that this doctor is affiliated, and hand over its sharing seeds.

    Raises VaultClosed, NotAllowed, chain.outbox.submit.ActConflict.
    """
    entropy = institution_keys.open_entropy(actor, institution)
    _require_member(institution, doctor)
    waiting = waiting_affiliation(institution, doctor)
    if waiting is not None and waiting.fields["affiliated"]:
        return waiting
    if waiting is None and directory.is_affiliated(institution.address, doctor):
        raise NotAllowed("This doctor is affiliated already.")
    act = _submit_affiliation(institution, entropy, doctor, affiliated=True)
    subject = f"{institution.pk}:{doctor}"
    errands.settle_errands(kind="affiliate-doctor", subject=subject)
    errands.add_errand(account=actor.address, kind="seal-seeds", subject=subject)
    errands.run_errands(actor)
    return act


def waiting_affiliation(institution: Institution, doctor: str) -> Act | None:
    """The newest act about this affiliation that the chain has not settled yet."""
    acts = Act.objects.waiting().of_kind("AffiliateDoctor").by(institution.address)
    return acts.filter(fields__doctor=doctor).order_by("-number").first()


def disaffiliate_doctor(*, actor: Actor, institution: Institution, doctor: str) -> Act:
    """End a doctor's affiliation; the institution's sharing key moves on to its next version."""
    entropy = institution_keys.open_entropy(actor, institution)
    _require_member(institution, doctor)
    with transaction.atomic():
        act = _submit_affiliation(institution, entropy, doctor, affiliated=False)
        end_membership(institution, doctor)
    rotate_sharing_key(actor, institution, entropy)
    return act


def leave_institution(*, actor: Actor, institution: Institution) -> Act:
    """A doctor's own leaving. Raises VaultClosed, ReadOnlyToken, NotAllowed, ActConflict."""
    waiting = Act.objects.waiting().of_kind("LeaveInstitution").by(actor.address)
    if (earlier := waiting.filter(fields__institution=institution.address).first()) is not None:
        return earlier
    if not Affiliation.objects.filter(
        institution=institution.address, doctor=actor.address, affiliated=True
    ).exists():
        raise NotAllowed("You are not affiliated with this institution.")
    number = next_number(slot_affiliation(institution.address, actor.address))
    act = prepare_act(
        "LeaveInstitution", author=actor.address, institution=institution.address, serial=number
    )
    signed = actor.sign(act)
    with transaction.atomic():
        row = submit_act(signed)
        end_membership(institution, actor.address)
        leave_rotation(institution, actor.address)
    return row


def end_membership(institution: Institution, doctor: str) -> None:
    """The portal's side of leaving: the seeds sealed to the doctor go at once. In the caller's transaction.

    Who seals seeds of the institution at this moment waits, and sees that the doctor has left.
    """
    wait_in_line([institution.address])
    Membership.objects.filter(
        institution=institution, account__address=doctor, role=Membership.Role.DOCTOR
    ).update(state=Membership.State.LEFT)
    SealedKey.objects.filter(institution=institution, recipient=doctor, kind=SealedKey.Kind.SEED).delete()
    for kind in ("seal-seeds", "affiliate-doctor"):
        errands.settle_errands(kind=kind, subject=f"{institution.pk}:{doctor}", dropped=True)


def leave_rotation(institution: Institution, doctor: str) -> None:
    """An errand for the managers: the doctor who left still has the sharing seeds, so the key moves on."""
    version = institution_keys.institution_account(institution).key_version
    institution_keys.leave_errand_for_managers(
        institution, "rotate-key", doctor, details={"version": version}
    )


def rotate_sharing_key(actor: Actor, institution: Institution, entropy: bytes) -> bool:
    """Publish the next version of the institution's sharing key, sealed to the doctors who stay.

    A doctor whose key cannot be used is left out, until another one is published. One who leaves meanwhile
    is not sealed it: it is made again without. False if another manager has just done so.
    """
    account = institution_keys.institution_account(institution)
    version = max(account.key_version + 1, next_number(slot_key(institution.address)))
    signed = institution_keys.sign_publication(institution.address, entropy, version)
    rows, later = _seal_to_doctors(actor, institution, entropy, version)
    with transaction.atomic():
        wait_in_line([institution.address])
        left = {row.recipient for row in rows} - set(doctors_of(institution))
        if not left:
            here = Account.objects.filter(pk=account.pk, key_version=account.key_version)
            if not here.update(key_version=version):
                return False
            submit_act(signed)
            institution_keys.save_sealed_keys(rows)
            for doctor in later:
                subject = f"{institution.pk}:{doctor}"
                errands.add_errand(account=actor.address, kind="seal-seeds", subject=subject)
    return rotate_sharing_key(actor, institution, entropy) if left else True


def doctors_of(institution: Institution) -> list[str]:
    """Addresses of the institution's active doctors."""
    members = institution.memberships.filter(role=Membership.Role.DOCTOR, state=Membership.State.ACTIVE)
    return list(members.values_list("account__address", flat=True))


@errands.shows_errand("affiliate-doctor")
def show_affiliation(errand: Errand) -> errands.ErrandCard:
    """A doctor has accepted an invitation: the manager affiliates him or her, or does not."""
    institution_id, doctor = errand.subject.split(":")
    return errands.ErrandCard(
        title="A doctor waits to be affiliated",
        text=f"{directory.person_of(doctor).name} has accepted the invitation.",
        url=reverse("accounts:institution", args=[institution_id]),
    )


@errands.runs_errand("seal-seeds")
def seal_seeds_to_doctor(actor: Actor, errand: Errand) -> bool:
    """Seal every version of the institution's sharing seed to a doctor whose key is confirmed."""
    institution_id, doctor = errand.subject.split(":")
    institution = Institution.objects.get(pk=institution_id)
    if doctor not in doctors_of(institution):
        return errands.settle_errand(errand, dropped=True)
    entropy = institution_keys.open_entropy(actor, institution)
    try:
        recipient = directory.public_key(doctor)
    except UnusableKey:  # the institution's page says so; another key of the doctor's asks again
        return errands.settle_errand(errand, dropped=True)
    newest = institution_keys.institution_account(institution).key_version
    rows = institution_keys.seal_seeds(actor.origin, institution, entropy, range(1, newest + 1), recipient)
    with transaction.atomic():
        wait_in_line([institution.address])
        if doctor not in doctors_of(institution):
            return errands.settle_errand(errand, dropped=True)
        institution_keys.save_sealed_keys(rows)
        return institution_keys.institution_account(institution).key_version == newest


@errands.runs_errand(END_AFFILIATION)
def end_affiliation(actor: Actor, errand: Errand) -> bool:
    """End an affiliation on the chain whose end was refused, unless the doctor has joined again."""
    institution_id, doctor = errand.subject.split(":")
    institution = Institution.objects.get(pk=institution_id)
    entropy = institution_keys.open_entropy(actor, institution)
    waiting = waiting_affiliation(institution, doctor)
    joined = doctor in doctors_of(institution) or waiting is not None
    if not joined and directory.is_affiliated(institution.address, doctor):
        _submit_affiliation(institution, entropy, doctor, affiliated=False)
    return True


@errands.runs_errand(LEAVE_AGAIN)
def leave_once_more(actor: Actor, errand: Errand) -> bool:
    """Sign a doctor's leaving again that was refused, unless the doctor has joined again."""
    institution = Institution.objects.filter(address=errand.subject).first()
    if institution is None or actor.address in doctors_of(institution):
        return errands.settle_errand(errand, dropped=True)
    if directory.is_affiliated(institution.address, actor.address):
        leave_institution(actor=actor, institution=institution)
    return True


@errands.runs_errand("rotate-key")
def rotate_after_leaving(actor: Actor, errand: Errand) -> bool:
    """A doctor left by himself or herself: move the sharing key on, unless a manager already has."""
    institution = Institution.objects.get(pk=errand.subject.split(":")[0])
    entropy = institution_keys.open_entropy(actor, institution)
    before = errand.details["version"]
    if institution_keys.institution_account(institution).key_version == before:
        rotate_sharing_key(actor, institution, entropy)
    return True


@errands.runs_errand("publish-institution-key")
def publish_institution_key(actor: Actor, errand: Errand) -> bool:
    """A version of the institution's sharing key whose publication did not land is published again."""
    institution_id, version = errand.subject.split(":")
    institution = Institution.objects.get(pk=institution_id)
    entropy = institution_keys.open_entropy(actor, institution)
    newest = institution_keys.institution_account(institution).key_version
    if int(version) != newest or is_published_or_waiting(institution.address, newest):
        return errands.settle_errand(errand, dropped=True)
    signed = institution_keys.sign_publication(institution.address, entropy, newest)
    with transaction.atomic():
        submit_act(signed)
    return True


def _seal_to_doctors(
    actor: Actor, institution: Institution, entropy: bytes, version: int
) -> tuple[list[SealedKey], list[str]]:
    rows: list[SealedKey] = []
    later: list[str] = []
    for doctor in doctors_of(institution):
        try:
            recipient = directory.public_key(doctor)
        except UnusableKey:
            continue
        except (NoPublishedKey, KeyMismatch):
            later.append(doctor)
            continue
        rows += institution_keys.seal_seeds(actor.origin, institution, entropy, [version], recipient)
    return rows, later


def _submit_affiliation(institution: Institution, entropy: bytes, doctor: str, *, affiliated: bool) -> Act:
    act = prepare_act(
        "AffiliateDoctor",
        author=institution.address,
        doctor=doctor,
        affiliated=affiliated,
        serial=next_number(slot_affiliation(institution.address, doctor)),
    )
    signed = sign_act(act, signing_key(entropy, INDEX))
    with transaction.atomic():
        return submit_act(signed)


def _require_member(institution: Institution, doctor: str) -> None:
    if doctor not in doctors_of(institution):
        raise NotAllowed("This account has not accepted an invitation as a doctor of this institution.")
