"""How every page of this app is entered and left: who may come in, and what a refusal looks like."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.template.loader import render_to_string

from accounts.actor import Actor
from accounts.errors import AccountsError, LimitReached, VaultClosed
from accounts.models import Account
from accounts.web.access import to_sign_in
from chain.errors import ChainError, ChainNotRead
from records.errors import (
    AccessRefused,
    InvalidInput,
    NotArrived,
    NotFound,
    OtherPatient,
    RecordsError,
    status_of,
)

P = ParamSpec("P")
ActorView = Callable[Concatenate[HttpRequest, Actor, P], HttpResponseBase]
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]
FormAction = Callable[[dict[str, Any]], HttpResponse]

PATIENT = Account.Kind.PATIENT
DOCTOR = Account.Kind.PRACTITIONER


def actor_view(*kinds: str, needs_keys: bool = True) -> Callable[[ActorView[P]], View[P]]:
    """Decorator: the view gets the actor, who is of one of these kinds (any, when none is named).

    Anonymous: to the sign-in page. A closed vault: VaultClosed goes up to the middleware, which asks for the
    password, before a form is filled in rather than after. Errors of the services: a page with their words
    and their status.
    """

    def decorate(view: ActorView[P]) -> View[P]:
        @wraps(view)
        def enter(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return to_sign_in(request)
            actor: Actor | None = getattr(request, "actor", None)
            if actor is None:
                return render(request, "records/no_account.html", status=403)
            if kinds and actor.kind not in kinds:
                return render(request, "records/other_account.html", {"kinds": kinds}, status=403)
            if needs_keys and not actor.is_open:
                raise VaultClosed
            try:
                return _with_hint(view(request, actor, *args, **kwargs))
            except VaultClosed:
                raise
            except (RecordsError, AccountsError, ChainError) as error:
                return refuse(request, error)

        return enter

    return decorate


def refuse(request: HttpRequest, error: Exception) -> HttpResponse:
    """The page for an error of a service: what happened, and what to do next."""
    status = status_of(error)
    context = {"error": str(error), "status": status}
    if isinstance(error, OtherPatient):
        context["kinds"] = (DOCTOR,)
        return render(request, "records/other_account.html", context, status=status)
    if isinstance(error, AccessRefused):
        context |= {"patient": error.patient, "via": error.via}
        return render(request, "records/refused.html", context, status=status)
    answer = render(request, "errors/refusal.html", context, status=status)
    if isinstance(error, (LimitReached, ChainNotRead, NotArrived)) and error.retry_after:
        answer.headers["Retry-After"] = str(error.retry_after)
    return answer


def _with_hint(answer: HttpResponseBase) -> HttpResponseBase:
    """A form that is shown again over a limit: a program is told to come back in an hour."""
    if answer.status_code == 429:
        answer.headers.setdefault("Retry-After", "3600")
    return answer


def refuse_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The page for what Django itself refuses; `exception` says why."""
    del request
    text = ""
    if isinstance(exception, TooManyFieldsSent):
        text = f"The form holds more than {settings.DATA_UPLOAD_MAX_NUMBER_FIELDS:,} answers. Tick fewer."
    elif isinstance(exception, RequestDataTooBig):
        size = settings.DATA_UPLOAD_MAX_MEMORY_SIZE // 1024**2
        text = f"The form holds more than {size} MiB of text. Upload it as a file instead."
    return HttpResponse(render_to_string("400.html", {"words": text}), status=400)


def run_form(form: Form, action: FormAction) -> tuple[HttpResponse | None, int]:
    """Do what a sent form asks: (the answer, 302), or (None, the status to show the form again with).

    An error of the service stands beside its field, else above the form. Refusals (403, 404) go up.
    """
    if not form.is_bound:
        return None, 200
    if not form.is_valid():
        return None, 400
    try:
        return action(form.cleaned_data), 302
    except (VaultClosed, AccessRefused, NotFound):
        raise
    except (RecordsError, AccountsError, ChainError) as error:
        has_field = isinstance(error, InvalidInput) and error.field in form.fields
        form.add_error(error.field if has_field else None, str(error))  # type: ignore[union-attr]
        return None, status_of(error)
