"""Invitations, and the manager's page of an institution."""

import uuid
from dataclasses import dataclass
from typing import Any, cast

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import directory, sealed_keys
from accounts.actor import Actor
from accounts.errors import InvitationRefused, LimitReached, NoPublishedKey, NotAllowed, VaultClosed
from accounts.forms import InviteForm
from accounts.models import Account, Affiliation, Institution, Invitation, Membership, SealedKey
from accounts.notifications import undelivered
from accounts.requests import ACTING_AS, PortalRequest
from accounts.services import admissions, affiliations, invitations
from accounts.web.access import signed_in
from chain.errors import ChainError


@dataclass(frozen=True)
class Member:
    """A line of the manager's page."""

    membership: Membership
    state: str
    can_affiliate: bool
    can_end: bool
    fingerprint: str
    has_unusable_key: bool


@never_cache
@require_http_methods(["GET", "POST"])
def show_invitation(request: HttpRequest, secret: str) -> HttpResponse:
    """Whoever opened a mailed invitation: sign in or register with that e-mail, then accept."""
    try:
        invitation = invitations.find_invitation(secret)
    except InvitationRefused as error:
        user = cast(PortalRequest, request).user
        joined = invitations.accepted_membership(secret, user) if user.is_authenticated else None
        if joined is not None:
            return _after_joining(joined)
        return render(request, "accounts/invitation_refused.html", {"reason": str(error)}, status=404)
    if request.method == "POST" and request.user.is_authenticated:
        return _accept_invitation(request, secret=secret)
    return render(request, "accounts/invitation.html", {"invitation": invitation})


@signed_in
def _accept_invitation(request: PortalRequest, *, secret: str) -> HttpResponse:
    bundle = request.vault.bundle(request.user)
    if bundle is None:
        raise VaultClosed
    try:
        membership = invitations.accept_invitation(secret=secret, user=request.user, bundle=bundle)
    except InvitationRefused as error:
        return render(request, "accounts/invitation_refused.html", {"reason": str(error)}, status=403)
    request.session[ACTING_AS] = membership.account.address
    messages.success(request, f"You have joined {membership.institution}.")
    return _after_joining(membership)


def _after_joining(membership: Membership) -> HttpResponse:
    if membership.role == Membership.Role.MANAGER:
        return _back(membership.institution)
    return HttpResponseRedirect(reverse("home"))


@require_GET
@signed_in
def show_institution(request: PortalRequest, institution_id: uuid.UUID) -> HttpResponse:
    """The manager's page: members, invitations, and where each act stands."""
    institution, _ = _managed(request, institution_id)
    return _render_page(request, institution, InviteForm())


@require_POST
@signed_in
def invite(request: PortalRequest, institution_id: uuid.UUID) -> HttpResponse:
    """Mail an invitation to a doctor or another manager."""
    institution, _ = _managed(request, institution_id)
    form = InviteForm(request.POST)
    if form.is_valid():
        try:
            invitations.invite_member(institution=institution, invited_by=request.user, **form.cleaned_data)
            messages.success(request, f"The invitation to {form.cleaned_data['email']} is on its way.")
            return _back(institution)
        except ValidationError as error:
            form.add_error(None, error)
        except LimitReached as error:
            form.add_error(None, str(error))
            return _render_page(request, institution, form, status=error.status)
    return _render_page(request, institution, form, status=400)


@require_POST
@signed_in
def affiliate(request: PortalRequest, institution_id: uuid.UUID) -> HttpResponse:
    """Affiliate a doctor, or end an affiliation: signed with the institution's key."""
    institution, actor = _managed(request, institution_id)
    doctor = request.POST.get("doctor", "")
    ends = request.POST.get("end") == "1"
    act = affiliations.disaffiliate_doctor if ends else affiliations.affiliate_doctor
    try:
        act(actor=actor, institution=institution, doctor=doctor)
    except (NotAllowed, NoPublishedKey, ChainError) as error:
        messages.error(request, str(error))
    return _back(institution)


@require_POST
@signed_in
def leave(request: PortalRequest, institution_id: uuid.UUID) -> HttpResponse:
    """A doctor leaves."""
    institution = get_object_or_404(Institution, pk=institution_id)
    membership = get_object_or_404(
        Membership, institution=institution, user=request.user, role=Membership.Role.DOCTOR
    )
    actor = _actor_for(request, membership.account)
    try:
        affiliations.leave_institution(actor=actor, institution=institution)
        messages.success(request, f"You have left {institution}.")
    except (NotAllowed, ChainError) as error:
        messages.error(request, str(error))
    return HttpResponseRedirect(reverse("accounts:profile"))


def _managed(request: PortalRequest, institution_id: uuid.UUID) -> tuple[Institution, Actor]:
    """The institution and its manager's actor; 404 for whoever does not manage it."""
    membership = (
        Membership.objects.select_related("institution", "account")
        .filter(
            institution_id=institution_id,
            user=request.user,
            role=Membership.Role.MANAGER,
            state=Membership.State.ACTIVE,
        )
        .first()
    )
    if membership is None:
        raise Http404
    return membership.institution, _actor_for(request, membership.account)


def _actor_for(request: PortalRequest, account: Account) -> Actor:
    # A manager acts as practitioner here, whatever the switch says: no other account could.
    return Actor(user=request.user, account=account, open_bundle=lambda: request.vault.bundle(request.user))


def _back(institution: Institution) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("accounts:institution", args=[institution.pk]))


def _render_page(
    request: PortalRequest, institution: Institution, form: InviteForm, status: int = 200
) -> HttpResponse:
    memberships = institution.memberships.select_related("user", "account").order_by("role", "since")
    members = [_member(institution, membership) for membership in memberships]
    sealed = SealedKey.objects.filter(institution=institution, kind=SealedKey.Kind.ENTROPY)
    context = {
        "institution": institution,
        "admission": admissions.admission_state(institution),
        "managers": _with_role(members, Membership.Role.MANAGER),
        "doctors": _with_role(members, Membership.Role.DOCTOR),
        "holders": set(sealed.values_list("recipient", flat=True)),
        "invitations": _open_invitations(institution),
        "form": form,
        "settling": any("waits" in member.state for member in members),
    }
    return render(request, "accounts/institution.html", context, status=status)


def _open_invitations(institution: Institution) -> list[dict[str, Any]]:
    """Invitations that may still be accepted, and whether their mail arrived nowhere."""
    rows = list(Invitation.objects.open().filter(institution=institution))
    lost = undelivered(f"invitation:{institution.pk}:", {row.email for row in rows})
    return [
        {"row": row, "lost": (invitations.mail_about(institution, row.role), row.email) in lost}
        for row in rows
    ]


def _with_role(members: list[Member], role: str) -> list[Member]:
    return [member for member in members if member.membership.role == role]


def _member(institution: Institution, membership: Membership) -> Member:
    doctor = membership.account.address
    active = membership.state == Membership.State.ACTIVE
    waiting = affiliations.waiting_affiliation(institution, doctor)
    current = Affiliation.objects.filter(institution=institution.address, doctor=doctor).first()
    affiliated = current is not None and current.affiliated
    is_unusable = active and doctor in directory.unusable_keys([doctor])
    if waiting is not None:
        state = (
            "affiliation waits for the chain"
            if waiting.fields["affiliated"]
            else "leaving waits for the chain"
        )
    elif not active:
        state = "left"
    elif affiliated:
        has_seeds = institution.address in sealed_keys.institutions_with_seeds(doctor)
        state = "affiliated" if has_seeds or is_unusable else "affiliated, waits for the keys"
    else:
        state = "not affiliated yet" if directory.has_published_key(doctor) else "key not published yet"
    return Member(
        membership=membership,
        state=state,
        can_affiliate=active and not affiliated and waiting is None,
        can_end=active and (affiliated or waiting is not None),
        fingerprint=directory.person_of(doctor).key_fingerprint,
        has_unusable_key=is_unusable,
    )
