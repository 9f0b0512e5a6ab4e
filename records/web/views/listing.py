"""A patient's own records, by folder. The same patient's records as a doctor sees them."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from accounts.actor import Actor
from records.errors import NotFound
from records.services import consent, documents, folders, uploads
from records.web.doors import DOCTOR, PATIENT, actor_view, run_form
from records.web.forms.documents import FolderNameForm
from records.web.timeline import timeline_of


@require_http_methods(["GET", "POST"])
@actor_view(PATIENT)
def record_list(request: HttpRequest, actor: Actor, folder: int | None = None) -> HttpResponse:
    """A patient's records, all or of one folder. POST: those that are looked for."""
    own = folders.list_folders(actor=actor)
    current = next((each for each in own if each.number == folder), None)
    if folder is not None and current is None:
        raise NotFound("There is no such folder.")
    records = documents.list_records(actor=actor, patient=actor.address, folder=folder, inbox=False)
    context = {
        "unfinished_count": uploads.count_unfinished(actor=actor),
        "folders": own,
        "current": current,
        "timeline": timeline_of(
            request, [record for record in records if record.folder or record.closed], folders=current is None
        ),
    }
    return render(request, "records/list.html", context)


@require_http_methods(["GET", "POST"])
@actor_view(PATIENT)
def folder_new(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Make a folder."""
    form = FolderNameForm(request.POST or None)
    done, status = run_form(
        form, lambda data: redirect("records:folder", folders.create_folder(actor=actor, name=data["name"]))
    )
    context = {"form": form, "title": "New folder", "button": "Make the folder"}
    return done or render(request, "records/folder_form.html", context, status=status)


@require_http_methods(["GET", "POST"])
@actor_view(PATIENT)
def folder_rename(request: HttpRequest, actor: Actor, folder: int) -> HttpResponse:
    """Give a folder another name."""

    def rename(data: dict[str, str]) -> HttpResponse:
        folders.rename_folder(actor=actor, folder=folder, name=data["name"])
        return redirect("records:folder", folder)

    now = next((each.name for each in folders.list_folders(actor=actor) if each.number == folder), "")
    form = FolderNameForm(request.POST or None, initial={"name": now})
    done, status = run_form(form, rename)
    context = {"form": form, "title": "Rename the folder", "button": "Rename"}
    return done or render(request, "records/folder_form.html", context, status=status)


@require_http_methods(["GET", "POST"])
@actor_view(DOCTOR)
def patient_records(request: HttpRequest, actor: Actor, address: str) -> HttpResponse:
    """Show a doctor one patient's records, through one institution. POST narrows them by words."""
    via = request.GET.get("via") or None
    records = documents.list_records(actor=actor, patient=address, via=via)
    patients = consent.patients_of(actor=actor, patient=address)
    patient = next((each for each in patients if via in (None, each.via)), None)
    context: dict[str, Any] = {"patient": patient, "address": address, "via": via, "ways": patients}
    context["timeline"] = timeline_of(request, records, folders=True)
    return render(request, "records/patient.html", context)
