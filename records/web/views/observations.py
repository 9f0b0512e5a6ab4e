"""Measurements: the page of trends, entering them, taking them from a FHIR bundle."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from accounts.actor import Actor
from records.observations.charts import draw_chart
from records.observations.model import Observation
from records.observations.moments import parse_moment
from records.observations.series import Series
from records.services import folders, observations
from records.services.observations import Saving
from records.web.doors import DOCTOR, PATIENT, actor_view, run_form
from records.web.forms.documents import folder_choices
from records.web.forms.observations import UNITS, BundleForm, PlaceForm, RowForm, RowSet, observations_of
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

PERIODS = {"3m": (91, "3 months"), "1y": (365, "1 year"), "2y": (730, "2 years"), "5y": (1826, "5 years")}
SERIES_MAX = 60
ROWS_SHOWN = 100


@require_GET
@actor_view(PATIENT)
def own_trends(request: HttpRequest, actor: Actor) -> HttpResponse:
    """A patient's own measurements."""
    return _trends(request, actor, actor.address, {})


@require_GET
@actor_view(DOCTOR)
def patient_trends(request: HttpRequest, actor: Actor, address: str) -> HttpResponse:
    """The measurements that a doctor may open of one patient."""
    via = request.GET.get("via") or None
    return _trends(request, actor, address, {"patient": grant_from(actor, address, via), "via": via})


@require_http_methods(["GET", "POST"])
@actor_view()
def observations_new(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Measurements by hand: the patient's own, or a doctor's for a patient (?patient=, ?via=)."""
    patient, options, context = _whereto(request, actor)

    def save(data: dict[str, Any], entered: list[Observation]) -> HttpResponse:
        view = observations.add_observations(actor=actor, saving=_saving(data, patient), observations=entered)
        return redirect("records:detail", view.record)

    return _rows_page(request, options, [], save, context)


@require_http_methods(["GET", "POST"])
@actor_view()
def observations_edit(request: HttpRequest, actor: Actor, record: str) -> HttpResponse:
    """Mend what was entered: the next version; the former one stays readable."""
    now = writable_record(actor, record)
    rows = [RowForm.from_observation(each) for each in observations.editable(actor=actor, view=now)]

    def save(data: dict[str, Any], entered: list[Observation]) -> HttpResponse:
        saving = replace(_saving(data, now.patient), replaces=record, kind=now.kind)
        observations.add_observations(actor=actor, saving=saving, observations=entered)
        return redirect("records:detail", record)

    initial = {"title": now.title, "service_date": now.service_date, "via": now.via}
    options = {"folders": [], "places": places_for(actor, now.patient), "initial": initial}
    return _rows_page(request, options, rows, save, {"replaces": now})


@require_http_methods(["GET", "POST"])
@actor_view()
def observations_import(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Measurements from a FHIR bundle, kept as it is."""
    patient, options, context = _whereto(request, actor)
    form = BundleForm(request.POST or None, **options)

    def save(data: dict[str, Any]) -> HttpResponse:
        content = data["bundle"].encode(errors="replace")
        view = observations.add_bundle(actor=actor, saving=_saving(data, patient), data=content)
        return redirect("records:detail", view.record)

    done, status = run_form(form, save)
    context |= {"form": form}
    return done or render(request, "records/observations_import.html", context, status=status)


def _trends(request: HttpRequest, actor: Actor, address: str, context: dict[str, Any]) -> HttpResponse:
    gathered = observations.gather_observations(actor=actor, patient=address, via=context.get("via"))
    period = request.GET.get("period", "")
    since = timezone.localdate() - timedelta(days=PERIODS[period][0]) if period in PERIODS else None
    series = [part for each in gathered.series if (part := _within(each, since))]
    context |= {
        "address": address,
        "own": actor.address == address,
        "for_patient": urlencode({"patient": address, "via": getattr(context.get("patient"), "via", "")}),
        "gathered": gathered,
        "measured": [(each, draw_chart(each), each.rows[:ROWS_SHOWN]) for each in series[:SERIES_MAX]],
        "hidden": max(0, len(series) - SERIES_MAX),
        "periods": [(key, label) for key, (_, label) in PERIODS.items()],
        "period": period if since else "",
    }
    return render(request, "records/observations.html", context)


def _within(series: Series, since: date | None) -> Series | None:
    """The rows since that day; with a period, rows without a date are not among them."""
    if since is None:
        return series
    rows = tuple(row for row in series.rows if row.when and row.when.middle.date() >= since)
    return replace(series, rows=rows) if rows else None


def _whereto(request: HttpRequest, actor: Actor) -> tuple[str | None, dict[str, Any], dict[str, Any]]:
    """(patient or None for oneself, options of the form, context): as the upload page has it."""
    patient = patient_named(request, actor)
    if patient is None:
        own = folder_choices(folders.list_folders(actor=actor))
        initial = {"folder": folder_named(request, own)}
        return None, {"folders": own, "places": [], "initial": initial}, {"links": ""}
    places = own_places(actor)
    via = place_named(request, places)
    view = grant_from(actor, patient, via)
    options = {"folders": writable_folders(view), "places": places, "initial": {"via": via}}
    links = f"?{urlencode({'patient': patient, 'via': via})}"
    return patient, options, {"address": patient, "held": view, "links": links}


def _saving(data: dict[str, Any], patient: str | None) -> Saving:
    return Saving(
        title=data["title"],
        service_date=data["service_date"],
        form=data["form"],
        patient=patient,
        folder=int(data["folder"]) if "folder" in data else None,
        via=data.get("via", ""),
    )


def _rows_page(
    request: HttpRequest,
    options: dict[str, Any],
    rows: list[dict[str, str]],
    save: Callable[[dict[str, Any], list[Observation]], HttpResponse],
    context: dict[str, Any],
) -> HttpResponse:
    """The form with its rows. "Add a row" and "Remove" send it back with what was typed, and save nothing."""
    changing = "add" in request.POST or "remove" in request.POST
    if request.method != "POST" or changing:
        if changing:
            rows = _typed(request)
            options["initial"] = options["initial"] | request.POST.dict()
        form, status = PlaceForm(**options), 200
        rowset = RowSet(initial=rows)
        if rows:
            rowset.extra = 1 if "add" in request.POST or not changing else 0
    else:
        form, rowset = PlaceForm(request.POST, **options), RowSet(request.POST)
        valid = rowset.is_valid()

        def go_on(data: dict[str, Any]) -> HttpResponse:
            day = parse_moment(data["service_date"].isoformat())
            entered = observations_of(rowset)
            return save(data, [each if each.when else replace(each, when=day) for each in entered])

        if valid and not observations_of(rowset):
            form.add_error(None, "Enter at least one measurement.")
        done, status = run_form(form, go_on) if valid else (None, 400)
        if done:
            return done
    context |= {"form": form, "rows": rowset, "units": UNITS, "back": reverse("home")}
    return render(request, "records/observations_form.html", context, status=status)


def _typed(request: HttpRequest) -> list[dict[str, str]]:
    """What stands in the rows, without the one to be removed."""
    sent = RowSet(request.POST)
    removed = request.POST.get("remove", "")
    rows = []
    for number, row in enumerate(sent.forms):
        if str(number) != removed:
            rows.append({name: row.data.get(row.add_prefix(name), "") for name in row.fields})
    return rows
