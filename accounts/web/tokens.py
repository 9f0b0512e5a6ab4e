"""API tokens: make, list, revoke."""

import uuid

from django.db import transaction
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from accounts.actor import Actor
from accounts.errors import TokenRefused
from accounts.forms import TokenForm
from accounts.models import ApiToken
from accounts.requests import PortalRequest
from accounts.services import tokens
from accounts.sign_in.events import SecurityEvent, record
from accounts.web.access import require_actor, signed_in


@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
@signed_in
def list_tokens(request: PortalRequest) -> HttpResponse:
    """My account's tokens, and a form for another; its secret is shown in the answer, and never again."""
    actor = require_actor(request)
    form = TokenForm(request.POST or None, user=request.user)
    secret, status = "", 200
    if request.method == "POST":
        status = 400
        if form.is_valid():
            try:
                secret = _make(request, actor, form)
                status = 201
            except TokenRefused as error:
                form.add_error(None, str(error))
    api_tokens = ApiToken.objects.filter(account=actor.account)
    shown = TokenForm(user=request.user) if secret else form
    context = {"form": shown, "secret": secret, "tokens": api_tokens, "actor": actor}
    return render(request, "accounts/tokens.html", context, status=status)


def _make(request: PortalRequest, actor: Actor, form: TokenForm) -> str:
    """Make the token and mail its person; returns the secret."""
    fields = {name: form.cleaned_data[name] for name in ("token_id", "name", "scope", "days")}
    with transaction.atomic():
        _, secret = tokens.make_token(actor=actor, **fields)
        record(SecurityEvent.TOKEN_MADE, request.user, request)
    return secret


@require_POST
@signed_in
def revoke_token(request: PortalRequest, token_id: uuid.UUID) -> HttpResponse:
    """End one of my tokens."""
    actor = require_actor(request)
    if not ApiToken.objects.filter(pk=token_id, user=request.user).exists():
        raise Http404
    with transaction.atomic():
        if tokens.revoke_token(actor=actor, token_id=token_id):
            record(SecurityEvent.TOKEN_ENDED, request.user, request)
    return HttpResponseRedirect(reverse("accounts:tokens"))
