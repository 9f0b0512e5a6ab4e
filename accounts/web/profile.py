"""Profile, the switch between accounts, and errands."""

from typing import Any

import segno
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from accounts import directory
from accounts.errors import VaultClosed
from accounts.models import Account, Membership, Vault
from accounts.requests import ACTING_AS, PortalRequest
from accounts.services import errands, signup
from accounts.web.access import go_next, require_actor, signed_in
from chain.models import Event


@require_GET
@signed_in
def show_profile(request: PortalRequest) -> HttpResponse:
    """Show name, address with its QR code, the key's fingerprint and the institutions."""
    actor, user = request.actor, request.user
    context: dict[str, Any] = {
        "vault": Vault.objects.filter(user=user).first(),
        "memberships": user.memberships.filter(state=Membership.State.ACTIVE).select_related("institution"),
        "has_patient_account": user.accounts.filter(kind=Account.Kind.PATIENT).exists(),
    }
    if actor is not None:
        code = segno.make(f"ethereum:{actor.address}", error="m")
        context |= {
            "person": directory.person_of(actor.address),
            "has_unusable_key": bool(directory.unusable_keys([actor.address])),
            "qr": code.svg_data_uri(scale=5, border=2),
            "acts": Event.objects.authored_by(actor.address).count(),
            "affiliations": directory.affiliations_of(actor.address),
        }
    return render(request, "accounts/profile.html", context)


@require_POST
@signed_in
def open_patient_account(request: PortalRequest) -> HttpResponse:
    """A practitioner becomes a patient too, under an address of its own."""
    bundle = request.vault.bundle(request.user)
    if bundle is None:
        raise VaultClosed
    account = signup.open_account(request.user, bundle, Account.Kind.PATIENT)
    for actor in signup.actors_of(request.user, bundle):
        errands.run_errands(actor)
    request.session[ACTING_AS] = account.address
    return HttpResponseRedirect(reverse("accounts:profile"))


@require_POST
@signed_in
def switch_account(request: PortalRequest) -> HttpResponse:
    """Act as another of one's own accounts from now on."""
    account = get_object_or_404(Account, user=request.user, address=request.POST.get("account", ""))
    request.session[ACTING_AS] = account.address
    return go_next(request)


@require_GET
@signed_in
def list_errands(request: PortalRequest) -> HttpResponse:
    """Show what waits for a decision, and how much will run by itself."""
    actor = require_actor(request)
    context = {
        "decisions": errands.decisions_for(actor.address),
        "waiting": errands.waiting_for(actor.address),
    }
    return render(request, "accounts/errands.html", context)
