"""A form that could not be taken: what was typed goes on as hidden fields of the page that says why.

Nothing of it is stored, in the browser or here.
"""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from accounts.page_binding import is_own, sent_binding

SWITCH = "switch_account"
KEPT = "kept_form"
_LEFT_OUT = {"csrfmiddlewaretoken", SWITCH, KEPT}
_SECRETS = ("password", "phrase")


@dataclass(frozen=True)
class KeptForm:
    """Where a form was sent, and its fields in their order, without passwords."""

    path: str
    fields: list[tuple[str, str]]

    def __str__(self) -> str:
        return json.dumps([self.path, self.fields])


def form_of(request: HttpRequest) -> KeptForm:
    """Return the form that came with this request."""
    names = [name for name in request.POST if name not in _LEFT_OUT and not name.startswith(_SECRETS)]
    fields = [(name, value) for name in names for value in request.POST.getlist(name)]
    return KeptForm(request.get_full_path(), fields)


def kept_form(request: HttpRequest) -> KeptForm | None:
    """Return the form that a page like the one for a closed vault has carried along, if it did."""
    try:
        path, fields = json.loads(request.POST.get(KEPT, ""))
        form = KeptForm(str(path), [(str(name), str(value)) for name, value in fields])
    except (ValueError, TypeError):
        return None
    return form if form.path.startswith("/") and _is_here(request, form.path) else None


def is_script(request: HttpRequest) -> bool:
    """Tell whether a script reads the answer. It keeps the fields itself, and shows the text."""
    return request.method != "POST" or "HX-Request" in request.headers or _wants_json(request)


def show_kept_form(
    request: HttpRequest, form: KeptForm, *, title: str, text: str, status: int, **context: Any
) -> HttpResponse:
    """Render the page that says why a form was not taken, and sends it again at one press of a button."""
    context |= {"form": form, "title": title, "text": text}
    return render(request, "accounts/kept_form.html", context, status=status)


def signed_out_response(request: HttpRequest) -> HttpResponse | None:
    """Answer a form of ours that comes when nobody is signed in any more; None for anything else."""
    if request.method in ("GET", "HEAD") or sent_binding(request) is None:
        return None
    login = f"{reverse('account_login')}?{urlencode({'next': reverse('home')})}"
    text = "You have been signed out."
    if is_script(request):
        return JsonResponse({"error": text, "open": login}, status=403)
    title, text = "You are signed out", f"{text} Nothing was saved."
    return show_kept_form(request, form_of(request), title=title, text=text, status=403, login=login)


def refuse_csrf(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a form whose security token is too old: the person has signed in again in the meantime.

    A form that this portal did not make for this very person is not shown again.
    """
    del reason
    binding = sent_binding(request)
    if binding is not None and not is_script(request):
        if is_own(request, binding):
            text = "You have signed in again since this page was loaded. Nothing was saved yet."
            return show_kept_form(request, form_of(request), title="Send it now?", text=text, status=403)
        if not request.user.is_authenticated and (answer := signed_out_response(request)) is not None:
            return answer
    return render(request, "403_csrf.html", status=403)


def _is_here(request: HttpRequest, path: str) -> bool:
    return url_has_allowed_host_and_scheme(path, allowed_hosts={request.get_host()})


def _wants_json(request: HttpRequest) -> bool:
    return request.headers.get("Accept", "").startswith("application/json")
