"""The first page: for a stranger, a patient, a doctor."""

from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render

from accounts import directory
from accounts.actor import Actor
from chain.errors import ChainNotRead
from records.services import consent, documents, log, open_requests, uploads
from records.web.doors import PATIENT, actor_view

RECENT = 5
PATIENTS = 50
SHOWN_INBOX = 3
FOLDED = log.HistoryFilter(fold=True)
SHOWN_GRANTS = ("live", "waiting", "not yet", "paused")


def home(request: HttpRequest) -> HttpResponseBase:
    """The landing page, or the home page of the account that acts; an administrator's is the admin."""
    if not request.user.is_authenticated:
        return render(request, "records/landing.html")
    if getattr(request, "actor", None) is None and request.user.is_staff:
        return redirect("admin:index")
    return _own_home(request)


@actor_view()
def _own_home(request: HttpRequest, actor: Actor) -> HttpResponse:
    return _patient_home(request, actor) if actor.kind == PATIENT else _doctor_home(request, actor)


def _patient_home(request: HttpRequest, actor: Actor) -> HttpResponse:
    records = documents.list_records(actor=actor, patient=actor.address, inbox=False)
    filed = [record for record in records if not record.in_inbox and not record.closed]
    grants = [grant for grant in consent.grants_by(actor=actor) if grant.state in SHOWN_GRANTS]
    context = {
        "groups": open_requests.group_open(actor=actor, limit=RECENT),
        "request_count": open_requests.count_open(actor=actor),
        "inbox": documents.list_inbox(actor=actor, start=0, end=SHOWN_INBOX),
        "unfinished_count": uploads.count_unfinished(actor=actor),
        "recent": filed[:RECENT],
        "record_count": len(filed),
        "grants": grants,
        "reader_count": len({grant.grantee for grant in grants}),
        "history": log.access_history(actor=actor, patient=actor.address, chosen=FOLDED, size=RECENT).lines,
    }
    return render(request, "records/home_patient.html", context)


def _doctor_home(request: HttpRequest, actor: Actor) -> HttpResponse:
    requests = consent.requests_by(actor=actor)
    context = {
        "requests": [each for each in requests if each.state in ("open", "waiting")],
        "institutions": directory.affiliations_of(actor.address),
    }
    try:
        context |= _patients(request, actor)
    except ChainNotRead as problem:  # the rest of the page is the doctor's own
        context["unchecked"] = str(problem)
    return render(request, "records/home_doctor.html", context)


def _patients(request: HttpRequest, actor: Actor) -> dict[str, Any]:
    """A page of those whose records the doctor may open. Raises ChainNotRead."""
    others = request.GET.get("show") == "others"
    count = consent.count_patients(actor=actor, opened=not others)
    page = Paginator(range(count), PATIENTS).get_page(request.GET.get("page"))
    start = PATIENTS * (page.number - 1)
    return {
        "page": page,
        "others": others,
        "other_count": 0 if others else consent.count_patients(actor=actor, opened=False),
        "patients": consent.patients_of(actor=actor, opened=not others, start=start, end=start + PATIENTS),
    }
