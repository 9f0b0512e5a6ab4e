"""Every form and script acts as the account and for the patient that its page showed, or is refused."""

from collections.abc import Callable
from typing import Any, cast

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.html import format_html

from accounts.actor import Actor
from accounts.middleware import find_actor
from accounts.models import Account
from accounts.page_binding import FIELD, PageBinding, is_own, page_binding, sent_binding
from accounts.requests import ACTING_AS, PortalRequest
from accounts.web.kept_forms import SWITCH, KeptForm, form_of, is_script, show_kept_form
from records.services.naming import people_named_to

SAFE_METHODS = ("GET", "HEAD", "OPTIONS", "TRACE")

# Views whose forms act for the user, not for an account: by name, or by what the name begins with.
EXEMPT = {
    "admin:": "administrators act as users; no account's keys are used",
    "api:": "a token belongs to one account, and no session counts there",
    "account_": "e-mail addresses, passwords and sign-in belong to the user",
    "mfa_": "second factors belong to the user",
    "accounts:invitation": "joins the user, who may have no account yet",
    "accounts:switch": "names the account to switch to, and is the way out of a refusal",
    "accounts:key-tasks": "runs what waits for the keys of the user, all accounts in one",
    "accounts:vault-open": "opens the vault of the user, all accounts in one",
    "accounts:phrase": "one phrase for all accounts of the user",
    "accounts:phrase-check": "one phrase for all accounts of the user",
}
_ACCOUNTS: dict[str, str] = {
    Account.Kind.PATIENT: "your own patient account",
    Account.Kind.PRACTITIONER: "your doctor account",
}


class PageBindingMiddleware:
    """After the one that finds who acts: refuses what was meant for another account or patient."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Go on; the check waits until the view is known."""
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *_: Any) -> HttpResponse | None:
        """Return the refusal of a form or script whose page was for somebody else, else None."""
        portal = cast(PortalRequest, request)
        if request.method in SAFE_METHODS or not portal.user.is_authenticated or is_exempt(request):
            return None
        sent = sent_binding(request)
        if sent is not None and SWITCH in request.POST and is_own(request, sent):
            _switch(portal, sent)
        current = page_binding(request)
        if sent is not None and sent.fits(current):
            return None
        return _refuse(portal, sent, current)


def is_exempt(request: HttpRequest) -> bool:
    """Whether the view that answers acts for the user alone."""
    name = request.resolver_match.view_name if request.resolver_match else ""
    return any(name == each or (each[-1] in ":_" and name.startswith(each)) for each in EXEMPT)


def _switch(request: PortalRequest, binding: PageBinding) -> None:
    request.session[ACTING_AS] = binding.account
    request.actor = find_actor(request)


def _refuse(request: PortalRequest, sent: PageBinding | None, current: PageBinding) -> HttpResponse:
    if sent is not None and sent.account and not is_own(request, sent):
        error = "This page was loaded by somebody else. Nothing was saved."
        return render(request, "errors/refusal.html", {"error": error, "status": 403}, status=403)
    text = _words(request, sent, current)
    switch = sent is not None and sent.account != current.account
    if is_script(request):
        body = {"error": text, "switch": sent.account if sent and switch else ""}
        return JsonResponse(body, status=409)
    form = form_of(request)
    context: dict[str, Any] = {"switch": switch}
    if switch and sent:
        context["button"] = f"Switch to {_account_words(request, sent.account)} and send it"
    else:
        form = KeptForm(form.path, [field for field in form.fields if field[0] != FIELD])
        context["own_binding"] = format_html('<input type="hidden" name="{}" value="{}">', FIELD, current)
        context["button"] = f"Send it as {_account_words(request, current.account)}"
    return show_kept_form(
        request, form, title="For whom is this?", text=f"{text} Nothing was saved.", status=409, **context
    )


def _words(request: PortalRequest, sent: PageBinding | None, current: PageBinding) -> str:
    now = _account_words(request, current.account)
    if sent is None:
        return f"This form does not say for whom it is. You act as {now}."
    patient = _patient_name(request, sent)
    page = f"This page was for {patient}, as " if patient else "This page was for "
    if sent.account != current.account:
        was = _account_words(request, sent.account)
        return f"{page}{was}. You have since switched to {now}."
    return f"{page}{now}. It was sent for another patient."


def _account_words(request: PortalRequest, address: str) -> str:
    account = Account.objects.filter(user=request.user, address=address).first()
    return _ACCOUNTS.get(account.kind, "your account") if account else "your user without an account"


def _patient_name(request: PortalRequest, binding: PageBinding) -> str:
    """Return the name if the page's account may read it, else the address; "" for an own page."""
    account = Account.objects.filter(user=request.user, address=binding.account).first()
    if account is None or binding.patient in ("", binding.account):
        return ""
    actor = Actor(user=request.user, account=account, open_bundle=lambda: None)
    return people_named_to(actor, [binding.patient])[binding.patient].name or binding.patient
