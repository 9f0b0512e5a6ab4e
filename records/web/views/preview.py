"""Looking at a version's file: the page, and the bytes that it fetches. Each asks for access anew."""

import math
from http import HTTPStatus
from typing import Any

from csp.constants import HEADER, NONE, SELF, WASM_UNSAFE_EVAL
from csp.utils import build_policy
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_GET

from accounts.actor import Actor
from records.downloads import answer_frame, answer_inner, answer_preview, shielded
from records.errors import RecordsError, status_of
from records.media_types import words
from records.previews.encodings import CHOICES
from records.previews.errors import CannotShow, NoSuchFrame, TooBusy
from records.previews.kinds import Kind
from records.services import documents, previews
from records.web.doors import actor_view

PAGES = {kind: f"records/view/{kind.value}.html" for kind in Kind}
REFUSALS = {NoSuchFrame: HTTPStatus.NOT_FOUND, TooBusy: HTTPStatus.SERVICE_UNAVAILABLE}


@require_GET
@actor_view()
def view(request: HttpRequest, actor: Actor, record: str, version: int) -> HttpResponse:
    """The file as it looks, or why it is not shown; the patient's history gets one line."""
    preview = previews.begin_preview(actor=actor, record=record, version=version)
    shown = documents.get_record(actor=actor, record=record)
    context: dict[str, Any] = {
        "record": shown,
        "version": next((each for each in shown.versions if each.version == version), None),
        "number": version,
        "file": preview.opened,
        "latest": shown.version == version,
        "own": actor.address == shown.patient,
    }
    if preview.look is None:
        context["error"] = previews.NOT_SHOWN if preview.opened.size else previews.EMPTY
        return render(request, "records/view/nothing.html", context)
    try:
        context |= _shown(preview, preview.look.kind, request.GET.get("encoding", ""))
    except CannotShow as error:
        return render(request, "records/view/nothing.html", context | {"error": str(error)})
    return render(request, PAGES[preview.look.kind], context)


@require_GET
@actor_view()
def view_file(request: HttpRequest, actor: Actor, record: str, version: int) -> HttpResponseBase:
    """The bytes of a picture or a PDF, for the page."""
    preview = previews.continue_preview(actor=actor, record=record, version=version)
    return answer_preview(request, preview)


@require_GET
@actor_view()
def view_inner(request: HttpRequest, actor: Actor, record: str, version: int) -> HttpResponseBase:
    """The file inside a DICOM file: for the page that shows it, or with ?save=1 to be saved."""
    try:
        preview = previews.continue_preview(actor=actor, record=record, version=version)
        inner = previews.inner_of(preview)
    except CannotShow as error:
        return _line(str(error), REFUSALS.get(type(error), HTTPStatus.UNPROCESSABLE_ENTITY))
    return answer_inner(request, inner) if "save" in request.GET else answer_preview(request, inner)


@require_GET
@actor_view()
def view_frame(request: HttpRequest, actor: Actor, record: str, version: int, frame: int) -> HttpResponse:
    """A frame, from 0, as PNG, in the window of `centre` and `width` if given; a refusal is a line."""
    try:
        preview = previews.continue_preview(actor=actor, record=record, version=version)
        overlay = request.GET.get("overlay") != "0"
        return answer_frame(previews.frame_of(preview, frame, _window(request), overlay=overlay))
    except CannotShow as error:
        return _line(str(error), REFUSALS.get(type(error), HTTPStatus.UNPROCESSABLE_ENTITY))
    except RecordsError as error:
        return _line(str(error), status_of(error))


@require_GET
@xframe_options_sameorigin
def pdf_reader(request: HttpRequest) -> HttpResponse:
    """The reader of PDFs, in a frame of an origin of its own: no cookie, no record's address, no other page.

    The same for everybody. What it shows it gets from the page around it, piece by piece; all it may fetch is
    the portal's static files.
    """
    static = request.build_absolute_uri(settings.STATIC_URL)
    policy = {
        "sandbox": ["allow-scripts"],
        "default-src": [NONE],
        "script-src": [static, WASM_UNSAFE_EVAL],
        "worker-src": ["blob:"],
        "style-src": [static],
        "img-src": [static, "data:", "blob:"],
        "font-src": [static, "data:"],
        "connect-src": [static],
        "base-uri": [NONE],
        "form-action": [NONE],
        "frame-ancestors": [SELF],
    }
    answer = render(request, "records/view/reader.html")
    answer[HEADER] = build_policy(policy)
    return answer


def _shown(preview: previews.Preview, kind: Kind, encoding: str) -> dict[str, Any]:
    """Return the page's content for this kind, a text in `encoding` if chosen. Raises CannotShow."""
    if kind is Kind.TEXT:
        return {"text": previews.text_of(preview, encoding), "encodings": CHOICES}
    if kind is Kind.PDF:
        return {}
    picture = previews.picture_of(preview)
    return {"picture": picture} | (_inner(preview, encoding) if picture.inner else {})


def _inner(preview: previews.Preview, encoding: str) -> dict[str, Any]:
    """The file inside a file, shown where it is a PDF or text. Raises CannotShow."""
    inner = previews.inner_of(preview)
    kind = inner.look.kind if inner.look else None
    shown: dict[str, Any] = {"inner": inner.opened, "inner_kind": words(inner.opened.media_type)}
    if kind is Kind.TEXT:
        shown |= {"text": previews.text_of(inner, encoding), "encodings": CHOICES}
    return shown | {"inner_pdf": kind is Kind.PDF}


def _window(request: HttpRequest) -> tuple[float, float] | None:
    """The window that is asked for; None where none is, or none that is one."""
    try:
        centre, width = float(request.GET["centre"]), float(request.GET["width"])
    except (KeyError, ValueError):
        return None
    return (centre, width) if math.isfinite(centre) and math.isfinite(width) and width > 0 else None


def _line(text: str, status: int) -> HttpResponse:
    return shielded(HttpResponse(text, status=status, content_type="text/plain; charset=utf-8"))
