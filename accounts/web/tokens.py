"""API tokens: make, list, revoke."""

import uuid

from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts.errors import TokenRefused
from accounts.forms import TokenForm
from accounts.models import ApiToken
from accounts.requests import PortalRequest
from accounts.services import tokens
from accounts.web.access import require_actor, signed_in


@never_cache
@require_http_methods(["GET", "POST"])
@signed_in
def list_tokens(request: PortalRequest) -> HttpResponse:
    """My account's tokens, and a form for another; its secret is shown in the answer, and never again."""
    actor = require_actor(request)
    form = TokenForm(request.POST or None)
    secret, status = "", 200
    if request.method == "POST":
        status = 400
        if form.is_valid():
            try:
                _, secret = tokens.make_token(actor=actor, **form.cleaned_data)
                status = 201
            except TokenRefused as error:
                form.add_error(None, str(error))
    found = ApiToken.objects.filter(account=actor.account)
    context = {"form": TokenForm() if secret else form, "secret": secret, "tokens": found, "actor": actor}
    return render(request, "accounts/tokens.html", context, status=status)


@require_POST
@signed_in
def revoke_token(request: PortalRequest, token_id: uuid.UUID) -> HttpResponse:
    """End one of my tokens."""
    actor = require_actor(request)
    if not ApiToken.objects.filter(pk=token_id, user=request.user).exists():
        raise Http404
    tokens.revoke_token(actor=actor, token_id=token_id)
    return HttpResponseRedirect(reverse("accounts:tokens"))
