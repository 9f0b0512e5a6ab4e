"""Requests for access: a doctor asks, a patient looks, answers or refuses."""

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.actor import Actor
from accounts.directory import parse_address, unusable_keys
from accounts.notifications import undelivered
from records.services import consent, inbox, open_requests
from records.services import requests as asking
from records.web.doors import DOCTOR, PATIENT, actor_view, run_form
from records.web.forms.consent import DenyForm, RequestForm
from records.web.places import own_places


@require_GET
@actor_view(DOCTOR)
def request_list(request: HttpRequest, actor: Actor) -> HttpResponse:
    """A doctor's own requests, newest first."""
    return render(request, "records/requests.html", {"requests": consent.requests_by(actor=actor)})


@require_http_methods(["GET", "POST"])
@actor_view(DOCTOR)
def request_new(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Ask a patient, named by exact address, QR code or e-mail."""
    initial = {"patient": request.GET.get("patient", ""), "via": request.GET.get("via", "")}
    form = RequestForm(request.POST or None, places=own_places(actor), initial=initial)
    done, status = run_form(form, lambda data: _send(request, actor, form, data))
    context = {"form": form, "places": form.fields["via"].choices}  # type: ignore[attr-defined]
    return done or render(request, "records/request_new.html", context, status=status)


@require_GET
@actor_view()
def request_detail(request: HttpRequest, actor: Actor, request_id: str) -> HttpResponse:
    """One request, for who asked and for who is asked."""
    access_request = consent.get_request(actor=actor, request=request_id)
    is_author = access_request.author == actor.address
    about = asking.mail_about(access_request.id)
    lost = is_author and access_request.by_email and bool(undelivered(about, [access_request.patient_name]))
    context = {
        "asked": access_request,
        "mine": is_author,
        "mail_lost": lost and access_request.state == "open",
    }
    return render(request, "records/request.html", context)


@require_POST
@actor_view(DOCTOR)
def request_withdraw(request: HttpRequest, actor: Actor, request_id: str) -> HttpResponse:
    """Take a request back."""
    asking.withdraw_request(actor=actor, request=request_id)
    messages.success(request, "The request is withdrawn.")
    return redirect("records:requests")


@require_http_methods(["GET", "POST"])
@actor_view(PATIENT)
def request_deny(request: HttpRequest, actor: Actor, request_id: str) -> HttpResponse:
    """Refuse a request, with a reason or without."""

    def deny(data: dict[str, str]) -> HttpResponse:
        asking.deny_request(actor=actor, request=request_id, reason=data["reason"])
        messages.success(request, "You refused the request.")
        if data["reason"] and unusable_keys([access_request.author]):
            messages.warning(request, "Your reason cannot be read: the asking account's key cannot be used.")
        return redirect("home")

    access_request = consent.get_request(actor=actor, request=request_id)
    form = DenyForm(request.POST if request.method == "POST" else None)
    done, status = run_form(form, deny)
    return done or render(
        request, "records/request_deny.html", {"form": form, "asked": access_request}, status=status
    )


@require_http_methods(["GET", "POST"])
@actor_view(PATIENT)
def requests_asked(request: HttpRequest, actor: Actor) -> HttpResponse:
    """What waits for the patient's answer, all of it or of one sender; POST: refuse those shown, or block."""
    author, blocked = request.GET.get("author", ""), "blocked" in request.GET
    if request.method == "POST":
        return _answer_shown(request, actor, author)
    count = open_requests.count_listed(actor=actor, author=author, blocked=blocked)
    page = Paginator(range(count), open_requests.REFUSED_AT_ONCE).get_page(request.GET.get("page"))
    start, end = page.start_index(), page.end_index()
    context = {
        "page": page,
        "author": author,
        "blocked": blocked,
        "requests": open_requests.list_open(
            actor=actor, author=author, blocked=blocked, start=max(start - 1, 0), end=end
        ),
        "mailed": open_requests.list_mailed(actor=actor) if not author and page.number == 1 else [],
        "blocked_count": 0 if author else open_requests.count_listed(actor=actor, blocked=True),
    }
    return render(request, "records/requests_asked.html", context)


def _answer_shown(request: HttpRequest, actor: Actor, author: str) -> HttpResponse:
    if "block" in request.POST:
        inbox.block_sender(actor=actor, sender=parse_address(author))
        messages.success(request, "Blocked. What comes from there is no longer shown.")
        return redirect("records:asked")
    count = open_requests.refuse_listed(actor=actor, requests=request.POST.getlist("request"))
    messages.success(request, f"You refused {count} request{'' if count == 1 else 's'}.")
    return redirect(request.get_full_path())


@require_http_methods(["GET", "POST"])
def email_request(request: HttpRequest, secret: str) -> HttpResponseBase:
    """The mailed link. It is not kept through a sign-in, so that its secret never enters a stored session."""
    if not request.user.is_authenticated:
        return render(request, "records/email_request.html")
    return _open_email_request(request, secret)


@actor_view(PATIENT)
def _open_email_request(request: HttpRequest, actor: Actor, secret: str) -> HttpResponse:
    if request.method == "GET":
        return render(request, "records/email_request_open.html")
    access_request = asking.open_email_request(actor=actor, secret=secret)
    return redirect("records:request", access_request.id)


def _send(request: HttpRequest, actor: Actor, form: RequestForm, data: dict[str, Any]) -> HttpResponse:
    terms = {
        "via": data["via"],
        "purpose": data["purpose"],
        "kinds": data["kinds"],
        "permissions": data["permissions"],
        "days": data["days"],
        "note": data["note"],
    }
    if form.by_email:
        asking.request_by_email(actor=actor, email=data["patient"], **terms)
        messages.success(request, "Sent. You will see the answer here.")
        return redirect("records:requests")
    access_request = asking.request_access(actor=actor, patient=data["patient"], **terms)
    return redirect("records:request", access_request.id)
