"""The page that asks administrators and managers for a second factor."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from accounts.requests import PortalRequest
from accounts.sign_in.second_factor import has_app, may_skip
from accounts.web.access import go_next, next_url, signed_in


@never_cache
@require_GET
@signed_in
def ask_for_factor(request: PortalRequest) -> HttpResponse:
    """Say why, and lead to the set-up. A portal for this machine alone lets one skip it."""
    if has_app(request.user):
        return go_next(request)
    context = {"may_skip": may_skip(), "next": next_url(request)}
    return render(request, "accounts/second_factor.html", context)
