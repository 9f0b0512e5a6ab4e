"""The vault cookie, taken out first; and who is acting, found last."""

import logging
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import urlencode, urlsplit

from django.db.models import Exists, OuterRef
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from accounts.actor import Actor
from accounts.errors import VaultClosed
from accounts.models import Account, Membership, User, Vault
from accounts.requests import ACTING_AS, PortalRequest, SignedIn
from accounts.sign_in.second_factor import has_app, must_show_factor
from accounts.vault_session import COOKIE, VaultSession, take_cookie
from accounts.web.kept_forms import form_of, is_script
from accounts.web.vault import ask_for_vault

logger = logging.getLogger(__name__)

GetResponse = Callable[[HttpRequest], HttpResponse]
SAFE_METHODS = ("GET", "HEAD")
MANAGER_PAGES = ("accounts:institution", "accounts:institution-invite", "accounts:institution-affiliate")


class VaultCookieMiddleware:
    """First of all: takes the vault cookie out of the request, so that nothing after it sees the key.

    (allauth keeps a suspended POST, cookies and all, in the session.)
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Put a VaultSession in the cookie's place; write or take back the cookie at the end."""
        vault = VaultSession(take_cookie(request.META))
        request.COOKIES.pop(COOKIE, None)
        cast(PortalRequest, request).vault = vault
        response = self.get_response(request)
        vault.write_cookie(response)
        return response


class ActorMiddleware:
    """Last: `request.actor`, and the closed-vault page."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Find who acts; show a phrase that was never shown."""
        portal = cast(PortalRequest, request)
        portal.actor = None
        if portal.user.is_authenticated:
            portal.actor = find_actor(portal)
            if is_page_load(request) and phrase_waits(portal):
                return HttpResponseRedirect(_with_next(reverse("accounts:phrase"), request))
            if not is_poll(request):
                portal.vault.touch(portal.user)
            if portal.actor is not None and request.method in SAFE_METHODS:
                portal.actor.keep_answers()
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """A closed vault is a normal state: one page asks for password or phrase and goes back."""
        if isinstance(exception, VaultClosed):
            return closed_vault_response(request)
        return None


class SecondFactorMiddleware:
    """The administration, and the pages of an institution's managers, ask for a second factor."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Go on: what is asked is known with the view."""
        return self.get_response(request)

    def process_view(
        self,
        request: HttpRequest,
        view: object,  # noqa: ARG002
        arguments: object,  # noqa: ARG002
        named: object,  # noqa: ARG002
    ) -> HttpResponse | None:
        """Send an administrator or a manager without one to where it is shown or set up."""
        user = cast(PortalRequest, request).user
        if not user.is_authenticated or not asks_for_factor(request, user):
            return None
        if not must_show_factor(request, user):
            return None
        page = reverse("mfa_reauthenticate" if has_app(user) else "accounts:second-factor")
        return HttpResponseRedirect(_with_next(page, request))


def asks_for_factor(request: HttpRequest, user: User) -> bool:
    """Whether this is a page of the administration, or of the managers of an institution."""
    match = request.resolver_match
    if match is None:
        return False
    if "admin" in match.app_names:
        # Who is no administrator is refused by the page itself.
        return user.is_staff and match.url_name not in ("login", "logout")
    return match.view_name in MANAGER_PAGES


def find_actor(request: PortalRequest) -> Actor | None:
    """The user's account named by the switch, else the patient's, else any; None without accounts."""
    user = request.user
    request.signed_in = read_signed_in(user)
    accounts = request.signed_in.accounts
    wanted = request.session.get(ACTING_AS)
    account = next((one for one in accounts if one.address == wanted), accounts[0] if accounts else None)
    if account is None:
        return None
    return Actor(user=user, account=account, open_bundle=lambda: request.vault.bundle(user))


def read_signed_in(user: User) -> SignedIn:
    """Read what every page asks of a user: one statement, and a second one for a user without accounts."""
    accounts = list(Account.objects.filter(user=user).order_by("index").annotate(**_facts("user")))
    row: Any = accounts[0] if accounts else User.objects.annotate(**_facts("pk")).get(pk=user.pk)
    for account in accounts:
        account.user = user  # no further statement for the same row
    return SignedIn(accounts, row.manages, row.hides_phrase, row.doubts_phrase)


def _facts(user: str) -> dict[str, Exists]:
    vaults = Vault.objects.filter(user=OuterRef(user))
    managing = Membership.objects.filter(
        user=OuterRef(user), role=Membership.Role.MANAGER, state=Membership.State.ACTIVE
    )
    return {
        "manages": Exists(managing),
        "hides_phrase": Exists(vaults.filter(phrase_shown_at=None, stale=False)),
        "doubts_phrase": Exists(vaults.filter(phrase_confirmed_at=None)),
    }


def is_page_load(request: HttpRequest) -> bool:
    """A GET for a whole page, as opposed to htmx's fragments and downloads."""
    return request.method == "GET" and "HX-Request" not in request.headers


def is_poll(request: HttpRequest) -> bool:
    """htmx's GETs may come from a timer: they do not keep a vault open."""
    return request.method == "GET" and "HX-Request" in request.headers


def phrase_waits(request: PortalRequest) -> bool:
    """Whether this user's recovery phrase was never shown, and this is not the way to it or out."""
    path = request.path
    ways = (reverse("accounts:phrase"), reverse("accounts:phrase-check"), reverse("account_logout"))
    if path in ways or path.startswith(("/api/", "/static/", "/accounts/")):
        return False
    return request.signed_in.hides_phrase


def closed_vault_response(request: HttpRequest) -> HttpResponse:
    """To the closed-vault page, and back to where the person was; a script gets a plain 403.

    A form that was sent is not lost: the page that asks for the password carries it, and sends it then.
    """
    if request.method in ("PUT", "DELETE"):
        return HttpResponse(
            "Your vault is closed. Open it and try again.", status=403, content_type="text/plain"
        )
    target = _with_next(reverse("accounts:vault-open"), request)
    if request.method == "POST" and is_script(request):
        words = "Your vault has closed."
        return JsonResponse({"error": words, "open": target}, status=403)
    if request.method == "POST":
        return ask_for_vault(cast(PortalRequest, request), form_of(request), back=_back(request))
    if "HX-Request" in request.headers:
        return HttpResponse(headers={"HX-Redirect": target})
    return HttpResponseRedirect(target)


def _with_next(url: str, request: HttpRequest) -> str:
    return f"{url}?{urlencode({'next': _back(request)})}"


def _back(request: HttpRequest) -> str:
    if request.method == "GET" and "HX-Request" not in request.headers:
        return request.get_full_path()
    # The address of a form's target or of a fragment is not a page to come back to.
    source = request.headers.get("HX-Current-URL") or request.headers.get("Referer") or ""
    if not url_has_allowed_host_and_scheme(source, allowed_hosts={request.get_host()}):
        return reverse("home")
    parts = urlsplit(source)
    return parts.path + (f"?{parts.query}" if parts.query else "")
