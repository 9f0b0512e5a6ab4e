"""Inviting people into an institution, and accepting; the first manager's acceptance makes its keys."""

import hashlib
import secrets
from datetime import date, timedelta

from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.text import slugify

from accounts import directory
from accounts.actor import Actor
from accounts.crypto.bundle import KeyBundle
from accounts.crypto.keys import address_of, signing_key
from accounts.crypto.phrase import new_entropy
from accounts.errors import InvitationRefused, NotAllowed, UnusableKey
from accounts.models import Account, Errand, Institution, Invitation, Membership, SealedKey, User
from accounts.notifications import queue_link
from accounts.services import errands, institution_keys, limits, signup, tokens
from chain.acts.messages import SignedAct
from chain.outbox.submit import submit_act

VALID_FOR = timedelta(days=7)


def create_institution(*, name: str) -> Institution:
    """An institution without keys; its first manager's acceptance makes them. Raises ValidationError."""
    institution = Institution(name=name.strip(), slug=free_slug(name))
    institution.full_clean()
    institution.save()
    return institution


def free_slug(name: str) -> str:
    """A slug from the name that no other institution has."""
    slug = slugify(name)[:50] or "institution"
    taken = Institution.objects.filter(slug=slug).exists()
    return f"{slug}-{secrets.token_hex(4)}" if taken else slug


def invite_member(*, institution: Institution, email: str, role: str, invited_by: User | None) -> str:
    """Mail an invitation; returns the link's secret, of which only the digest is kept.

    An earlier open invitation for the same address and role ends. Raises ValidationError, LimitReached.
    """
    email = email.strip().lower()
    validate_email(email)
    if role not in Membership.Role.values:
        raise ValidationError(f"Unknown role: {role}")
    secret = secrets.token_urlsafe(32)
    with transaction.atomic():
        # Of two clicks at once, one at a time.
        Institution.objects.select_for_update(no_key=True).get(pk=institution.pk)
        limits.check_count("INVITATIONS_PER_INSTITUTION", Invitation.objects.filter(institution=institution))
        limits.check_count("INVITATIONS_TO_ONE_ADDRESS", Invitation.objects.filter(email=email))
        open_ones = Invitation.objects.open().filter(institution=institution, email=email, role=role)
        open_ones.update(expires_at=timezone.now())  # kept, because it is counted
        Invitation.objects.create(
            institution=institution,
            email=email,
            role=role,
            digest=_digest(secret),
            invited_by=invited_by,
            expires_at=timezone.now() + VALID_FOR,
        )
        link = settings.PUBLIC_URL + reverse("accounts:invitation", args=[secret])
        queue_link(
            email=email,
            template="invitation",
            context={"institution": institution.name, "role": role, "link": link, "days": VALID_FOR.days},
            lasts=VALID_FOR,
            about=mail_about(institution, role),
        )
    return secret


def mail_about(institution: Institution, role: str) -> str:
    """Return the name of an invitation's mail. A newer one to the same address replaces it."""
    return f"invitation:{institution.pk}:{role}"


def find_invitation(secret: str) -> Invitation:
    """The open invitation behind a link. Raises InvitationRefused."""
    found = Invitation.objects.open().select_related("institution").filter(digest=_digest(secret)).first()
    if found is None:
        raise InvitationRefused("This invitation is unknown, used or expired. Ask for a new one.")
    return found


def accept_invitation(*, secret: str, user: User, bundle: KeyBundle) -> Membership:
    """Join: the practitioner account is made if need be, and a first manager makes the institution's keys.

    Raises InvitationRefused; the e-mail invited must be a verified one of this user's.
    """
    invitation = find_invitation(secret)
    if not EmailAddress.objects.filter(user=user, email__iexact=invitation.email, verified=True).exists():
        raise InvitationRefused(
            f"This invitation is for {invitation.email}. Sign in with that e-mail address."
        )
    with transaction.atomic():
        now = timezone.now()
        won = Invitation.objects.open().filter(pk=invitation.pk).update(accepted_at=now, accepted_by=user)
        if not won:
            raise InvitationRefused("This invitation has been used already.")
        account = signup.open_account(user, bundle, Account.Kind.PRACTITIONER)
        membership, _ = Membership.objects.update_or_create(
            institution=invitation.institution,
            user=user,
            role=invitation.role,
            defaults={"account": account, "state": Membership.State.ACTIVE, "since": now},
        )
        if membership.role == Membership.Role.MANAGER:
            tokens.end_read_only(account)
        _leave_errands(membership)
    errands.run_errands(Actor(user=user, account=account, open_bundle=lambda: bundle))
    return membership


def register_member(
    *, secret: str, name: str, date_of_birth: date, password: str, phrase_confirmed: bool = False
) -> Actor:
    """A new user who joins by an invitation, with a practitioner account alone; returns an open actor."""
    email = find_invitation(secret).email
    user, bundle = signup.create_person(
        email=email,
        name=name,
        date_of_birth=date_of_birth,
        password=password,
        roles=(),
        phrase_confirmed=phrase_confirmed,
    )
    membership = accept_invitation(secret=secret, user=user, bundle=bundle)
    return Actor(user=user, account=membership.account, open_bundle=lambda: bundle)


def accepted_membership(secret: str, user: User) -> Membership | None:
    """What an earlier click of this user's on the same invitation made, if anything."""
    used = Invitation.objects.filter(digest=_digest(secret), accepted_by=user).first()
    if used is None:
        return None
    return Membership.objects.filter(institution=used.institution, user=user, role=used.role).first()


def _leave_errands(membership: Membership) -> None:
    """What an acceptance leaves to do: keys for an institution without any, else work for its managers."""
    institution, address = membership.institution, membership.account.address
    if membership.role == Membership.Role.DOCTOR:
        institution_keys.leave_errand_for_managers(institution, "affiliate-doctor", address)
    elif institution.address:
        institution_keys.leave_errand_for_managers(institution, "seal-entropy", address, but=address)
    else:
        errands.add_errand(account=address, kind="make-institution-keys", subject=str(institution.pk))


@errands.runs_errand("make-institution-keys")
def make_institution_keys(actor: Actor, errand: Errand) -> bool:
    """The first manager's session makes the institution's keys; one who comes second is handed them."""
    institution = Institution.objects.get(pk=errand.subject)
    if institution.address or not _make_institution_keys(actor, institution):
        institution_keys.leave_errand_for_managers(
            institution, "seal-entropy", actor.address, but=actor.address
        )
    return True


def _make_institution_keys(actor: Actor, institution: Institution) -> bool:
    """Make the institution's entropy, seal it to this first manager, and publish its sharing key.

    False if another manager has just done so.
    """
    entropy = new_entropy()
    institution.address = address_of(signing_key(entropy, institution_keys.INDEX))
    sealed = institution_keys.seal_entropy(actor.origin, institution, entropy, actor.own_public_key)
    publish = institution_keys.sign_publication(institution.address, entropy, 1)
    return _save_institution_keys(institution, sealed, publish)


def _save_institution_keys(institution: Institution, sealed: "SealedKey", publish: SignedAct) -> bool:
    with transaction.atomic():
        won = Institution.objects.filter(pk=institution.pk, address="").update(address=institution.address)
        if not won:
            institution.refresh_from_db()
            return False
        Account.objects.create(
            address=institution.address,
            kind=Account.Kind.INSTITUTION,
            institution=institution,
            index=institution_keys.INDEX,
        )
        institution_keys.save_sealed_keys([sealed])
        submit_act(publish)
    return True


@errands.runs_errand("seal-entropy")
def seal_entropy_to_manager(actor: Actor, errand: Errand) -> bool:
    """Hand the institution's entropy to a manager who joined later, once his or her key is confirmed."""
    institution_id, address = errand.subject.split(":")
    institution = Institution.objects.get(pk=institution_id)
    newcomer = Account.objects.filter(address=address).first()
    if newcomer is None or not institution_keys.is_manager(newcomer, institution):
        return errands.settle_errand(errand, dropped=True)
    try:
        entropy = institution_keys.open_entropy(actor, institution)
    except NotAllowed:
        return False
    try:
        recipient = directory.public_key(address)
    except UnusableKey:  # the institution's page says so; another key of the manager's asks again
        return errands.settle_errand(errand, dropped=True)
    row = institution_keys.seal_entropy(actor.origin, institution, entropy, recipient)
    institution_keys.save_sealed_keys([row])
    errands.settle_errands(kind="seal-entropy", subject=errand.subject)
    return True


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
