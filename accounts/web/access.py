"""Who may see a page of accounts."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, cast

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from accounts.actor import Actor
from accounts.requests import PortalRequest
from accounts.web.kept_forms import signed_out_response

P = ParamSpec("P")
View = Callable[Concatenate[PortalRequest, P], HttpResponse]


def signed_in(view: View[P]) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
    """Only for signed-in people; others go to the sign-in page and come back."""

    @wraps(view)
    def checked(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not request.user.is_authenticated:
            return to_sign_in(request)
        return view(cast(PortalRequest, request), *args, **kwargs)

    return cast("Callable[Concatenate[HttpRequest, P], HttpResponse]", checked)


def to_sign_in(request: HttpRequest) -> HttpResponse:
    """Send somebody to the sign-in page and back; a form that came too late is kept on a page."""
    if (answer := signed_out_response(request)) is not None:
        return answer
    if "HX-Request" in request.headers:
        return HttpResponse(headers={"HX-Redirect": reverse("account_login")})
    return redirect_to_login(request.get_full_path())


def require_actor(request: PortalRequest) -> Actor:
    """Return who acts. Raises PermissionDenied for a user without an account (an administrator)."""
    if request.actor is None:
        raise PermissionDenied("You have no account to act with.")
    return request.actor


def next_url(request: HttpRequest) -> str:
    """Return the path of this portal to go back to, else home."""
    target = request.POST.get("next") or request.GET.get("next") or ""
    safe = url_has_allowed_host_and_scheme(target, allowed_hosts={request.get_host()})
    return target if safe and target.startswith("/") else reverse("home")


def go_next(request: HttpRequest) -> HttpResponseRedirect:
    """Redirect to where the person was."""
    return HttpResponseRedirect(next_url(request))
