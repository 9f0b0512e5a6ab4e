"""Uploading: a record is described first, then its bytes come as the body of a PUT."""

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from accounts.actor import Actor
from records.services import folders, uploads
from records.services.inspecting import describe_types, picker_types
from records.web.doors import DOCTOR, actor_view, run_form
from records.web.forms.documents import DescriptionForm, PatientForm, UploadForm, folder_choices
from records.web.places import (
    folder_named,
    grant_from,
    own_places,
    patient_named,
    place_named,
    places_for,
    writable_folders,
)
from records.web.views.record import writable_record
from records.web.views.upload_parts import addresses_of, for_script, pieces_of


@require_http_methods(["GET", "POST"])
@actor_view()
def upload(request: HttpRequest, actor: Actor) -> HttpResponse:
    """A new record: the patient's own, or a doctor's for a patient (?patient=, ?via=)."""
    patient = patient_named(request, actor)
    if patient is None:
        own = folder_choices(folders.list_folders(actor=actor))
        initial = {"folder": folder_named(request, own)}
        form = UploadForm(request.POST or None, folders=own, places=[], initial=initial)
        return _describe(request, actor, form, patient=None)
    places = own_places(actor)
    via = place_named(request, places)
    view = grant_from(actor, patient, via)
    form = UploadForm(
        request.POST or None, folders=writable_folders(view), places=places, initial={"via": via}
    )
    return _describe(request, actor, form, patient=patient, held=view)


@require_GET
@actor_view(DOCTOR)
def leave_record(request: HttpRequest, _actor: Actor) -> HttpResponse:
    """For whom: a doctor needs no grant to leave a record in a patient's inbox."""

    def go_on(data: dict[str, Any]) -> HttpResponse:
        query = urlencode({"patient": data["patient"]})
        return redirect(f"{reverse('records:upload')}?{query}")

    form = PatientForm(request.GET if "patient" in request.GET else None)
    done, status = run_form(form, go_on)
    return done or render(request, "records/leave_record.html", {"form": form}, status=status)


@require_http_methods(["GET", "POST"])
@actor_view()
def new_version(request: HttpRequest, actor: Actor, record: str) -> HttpResponse:
    """Another file for a record; the former versions stay readable."""
    now = writable_record(actor, record)
    form = UploadForm(
        request.POST or None,
        folders=[],
        places=places_for(actor, now.patient),
        initial=DescriptionForm.from_record(now) | {"via": now.via},
    )
    return _describe(request, actor, form, patient=now.patient, replaces=now)


@require_http_methods(["PUT"])
@actor_view()
@for_script
def upload_bytes(request: HttpRequest, actor: Actor, upload: str) -> HttpResponse:
    """The file itself: read as a stream, encrypted as it arrives. Sent again, it has one effect."""
    length = request.headers.get("Content-Length", "")
    view = uploads.receive_upload(
        actor=actor,
        upload_id=upload,
        stream=pieces_of(request),
        length=int(length) if length.isdigit() else None,
    )
    return JsonResponse({"next": reverse("records:detail", args=[view.record])}, status=201)


def _describe(
    request: HttpRequest, actor: Actor, form: UploadForm, patient: str | None, **context: Any
) -> HttpResponse:
    replaces = context.get("replaces")

    def describe(data: dict[str, Any]) -> HttpResponse:
        described = uploads.describe_upload(
            actor=actor,
            patient=patient,
            title=data["title"],
            kind=data["kind"],
            service_date=data["service_date"],
            folder=int(data["folder"]) if "folder" in data else None,
            via=data.get("via", ""),
            nonce=data["nonce"],
            file_name=data["file_name"],
            media_type=data["media_type"],
            size=data["size"],
            replaces=replaces.record if replaces else None,
        )
        return JsonResponse(addresses_of(described) | {"part_bytes": described.part_bytes}, status=201)

    done, status = run_form(form, describe)
    template = "records/upload_fields.html" if form.is_bound else "records/upload.html"
    context |= {"form": form, "patient": patient, "max_bytes": settings.UPLOAD_MAX_BYTES}
    if not form.is_bound:
        context |= {"types": describe_types(), "accept": picker_types()}
        context["camera"] = "image/jpeg" in settings.UPLOAD_TYPES
        context["unfinished"] = uploads.list_unfinished(actor=actor)
    return done or render(request, template, context, status=status)
