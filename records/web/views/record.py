"""One record: its page, its bytes, its description, its place."""

from contextlib import suppress
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST, require_safe

from accounts.actor import Actor
from chain.contract.slots import folder_scope
from records.downloads import answer_content
from records.errors import AccessRefused, Conflict, RecordsError
from records.models import SelectionRecord
from records.observations.reading import Reading
from records.services import (
    consent,
    copies,
    documents,
    folders,
    log,
    observations,
    reading,
    refusals,
    sending,
)
from records.shapes import GrantView, RecordView
from records.web.doors import PATIENT, actor_view, run_form
from records.web.forms.documents import DescriptionForm, DescriptionViaForm, FolderChoiceForm
from records.web.places import places_for

HISTORY_LINES = 10
OPEN_GRANTS = ("live", "not yet", "paused", "waiting")


@require_GET
@actor_view()
def detail(request: HttpRequest, actor: Actor, record: str) -> HttpResponse:
    """Everything about one record that this actor may see."""
    view = documents.get_record(actor=actor, record=record)
    own = actor.address == view.patient
    context: dict[str, Any] = {"record": view, "own": own, "readings": _readings(actor, view)}
    context["refusals"] = refusals.list_refusals(actor=actor, record=record)
    if own:
        context["record"] = copies.with_storage(view)
        context["readers"] = _readers(actor, view)
        conditions = log.HistoryFilter(record=record, fold=True)
        context["history"] = log.access_history(
            actor=actor, patient=actor.address, chosen=conditions, size=HISTORY_LINES
        )
        context["was_opened"] = log.was_opened(patient=actor.address, record=record)
    return render(request, "records/detail.html", context)


@require_safe
@actor_view()
def download(request: HttpRequest, actor: Actor, record: str, version: int) -> HttpResponseBase:
    """A version's content or a part of it, decrypted as it goes out. The view is logged by the service."""
    return answer_content(request, reading.find_content(actor=actor, record=record, version=version))


@require_http_methods(["GET", "POST"])
@actor_view()
def edit(request: HttpRequest, actor: Actor, record: str) -> HttpResponse:
    """Mend title, kind and date. The file stays as it is."""
    view = writable_record(actor, record)

    def save(data: dict[str, Any]) -> HttpResponse:
        documents.modify_description(
            actor=actor,
            record=record,
            title=data["title"],
            kind=data["kind"],
            service_date=data["service_date"],
            via=data.get("via", ""),
        )
        return redirect("records:detail", record)

    form = DescriptionViaForm(
        request.POST or None,
        initial=DescriptionForm.from_record(view),
        places=places_for(actor, view.patient),
    )
    done, status = run_form(form, save)
    return done or render(request, "records/edit.html", {"form": form, "record": view}, status=status)


@require_http_methods(["GET", "POST"])
@actor_view(PATIENT)
def move(request: HttpRequest, actor: Actor, record: str) -> HttpResponse:
    """Put a record into another folder. Who sees it follows the folder."""
    view = documents.get_record(actor=actor, record=record)
    own = folders.list_folders(actor=actor)

    def save(data: dict[str, Any]) -> HttpResponse:
        documents.move_record(actor=actor, record=record, folder=data["folder"])
        return redirect("records:detail", record)

    form = FolderChoiceForm(request.POST or None, folders=own, initial={"folder": view.folder})
    done, status = run_form(form, save)
    return done or render(
        request, "records/move.html", {"form": form, "record": view, "folders": own}, status=status
    )


@require_http_methods(["GET", "POST"])
@actor_view()
def close(request: HttpRequest, actor: Actor, record: str) -> HttpResponse:
    """Close a record: entered in error by its patient, withdrawn by its author."""
    view = documents.get_record(actor=actor, record=record)
    if request.method == "POST":
        documents.close_record(actor=actor, record=record, reason=request.POST.get("reason", ""))
        messages.success(request, "Closed. It takes no further versions.")
        return redirect("records:detail", record) if actor.kind == PATIENT else redirect("home")
    return render(request, "records/close.html", {"record": view, "own": actor.address == view.patient})


def writable_record(actor: Actor, record: str) -> RecordView:
    """The record, for a page that changes it. Raises AccessRefused, NotFound."""
    view = documents.get_record(actor=actor, record=record)
    if view.closed:
        raise Conflict("This record is closed: it takes no further versions.")
    if not view.can_write:
        raise AccessRefused("You may read this record, not change it.", patient=view.patient, via=view.via)
    return view


@require_POST
@actor_view()
def send_again(request: HttpRequest, actor: Actor, record: str) -> HttpResponse:
    """Sign anew what the chain refused. Into the patient's inbox, if the right to write is gone."""
    sending.send_again(actor=actor, record=record)
    messages.success(request, "Sent again.")
    return redirect("records:detail", record)


@require_POST
@actor_view()
def drop_failed(request: HttpRequest, actor: Actor, record: str) -> HttpResponse:
    """Let go of what the chain refused."""
    sending.drop_failed(actor=actor, record=record)
    messages.success(request, "Dropped.")
    return redirect("home")


def _readings(actor: Actor, record: RecordView) -> Reading | None:
    """Read the file's measurements. The rest of the page stands without them when they cannot be had."""
    with suppress(RecordsError):
        return observations.read_record(actor=actor, view=record)
    return None


def _readers(actor: Actor, record: RecordView) -> list[GrantView]:
    """The owner's grants that open this record: of its folder, of itself, of a selection that has it."""
    scopes = {folder_scope(record.folder), record.record}
    scopes |= set(SelectionRecord.objects.filter(record=record.record).values_list("selection", flat=True))
    return [g for g in consent.grants_by(actor=actor) if g.scope in scopes and g.state in OPEN_GRANTS]
