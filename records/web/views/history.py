"""The access history: every view and every step of consent."""

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.actor import Actor
from records.services import log
from records.web.doors import PATIENT, actor_view

PAGE = 50


@require_GET
@actor_view(PATIENT)
def history(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Who looked, asked, was given, and what changed; newest first."""
    entries = log.access_history(actor=actor, patient=actor.address)
    page = Paginator(entries, PAGE).get_page(request.GET.get("page"))
    return render(request, "records/history.html", {"page": page})
