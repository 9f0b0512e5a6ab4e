"""All records as one ZIP: what would be in it, and the file."""

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_safe

from accounts.actor import Actor
from records.downloads import answer_export
from records.services.export import plan_export
from records.web.doors import actor_view


@require_GET
@actor_view()
def export_page(request: HttpRequest, actor: Actor, address: str = "") -> HttpResponse:
    """Show the ZIP's content and size: of the actor's own records, or of those a doctor may read."""
    via = request.GET.get("via") or None
    patient = address or actor.address
    context = {
        "newest": plan_export(actor=actor, patient=patient, via=via),
        "all": plan_export(actor=actor, patient=patient, via=via, all_versions=True),
        "address": address,
        "via": via or "",
        "zip": reverse("records:patient-export-zip", args=[address])
        if address
        else reverse("records:export-zip"),
    }
    return render(request, "records/export.html", context)


@require_safe
@actor_view()
def export_zip(request: HttpRequest, actor: Actor, address: str = "") -> HttpResponseBase:
    """The ZIP, with `?versions=all` every version."""
    planned = plan_export(
        actor=actor,
        patient=address or actor.address,
        via=request.GET.get("via") or None,
        all_versions=request.GET.get("versions") == "all",
    )
    return answer_export(request, planned)
