"""The first page: for a stranger, a patient, a doctor."""

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render

from accounts.actor import Actor
from accounts.services import directory
from records.services import consent, documents, log, uploads
from records.web.doors import PATIENT, actor_view

RECENT = 5
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
    records = documents.list_records(actor=actor, patient=actor.address)
    filed = [record for record in records if not record.in_inbox and not record.closed]
    requests = consent.requests_for(actor=actor)
    given = [grant for grant in consent.grants_by(actor=actor) if grant.state in SHOWN_GRANTS]
    context = {
        "requests": [asked for asked in requests if asked.state == "open"],
        "inbox": [record for record in records if record.in_inbox],
        "unfinished_count": uploads.count_unfinished(actor=actor),
        "recent": filed[:RECENT],
        "record_count": len(filed),
        "grants": given,
        "reader_count": len({grant.grantee for grant in given}),
        "history": log.access_history(actor=actor, patient=actor.address)[:RECENT],
    }
    return render(request, "records/home_patient.html", context)


def _doctor_home(request: HttpRequest, actor: Actor) -> HttpResponse:
    requests = consent.requests_by(actor=actor)
    context = {
        "patients": consent.patients_of(actor=actor),
        "requests": [asked for asked in requests if asked.state in ("open", "waiting")],
        "institutions": directory.affiliations_of(actor.address),
    }
    return render(request, "records/home_doctor.html", context)
