"""An upload in parts: the doors that the page's script uses, and the page to go on with what was left."""

import json
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.actor import Actor
from accounts.errors import AccountsError, VaultClosed
from chain.errors import ChainError
from records.errors import RecordsError, StartOver, status_of
from records.services import upload_parts, uploads
from records.shapes import UploadView
from records.web.doors import actor_view

PIECE = 256 * 1024  # bytes read from the socket at a time
DIGEST_MAX = 100

P = ParamSpec("P")
Door = Callable[Concatenate[HttpRequest, Actor, P], HttpResponse]


def for_script(view: Door[P]) -> Door[P]:
    """Decorator: what a service refuses is JSON with its words; a closed vault goes on to the middleware."""

    @wraps(view)
    def answer(request: HttpRequest, actor: Actor, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        try:
            return view(request, actor, *args, **kwargs)
        except VaultClosed:
            raise
        except (RecordsError, AccountsError, ChainError) as error:
            body = {"error": str(error), "starts_over": isinstance(error, StartOver)}
            return JsonResponse(body, status=status_of(error))

    return answer


@require_GET
@actor_view()
def unfinished(request: HttpRequest, actor: Actor, upload: str) -> HttpResponse:
    """Going on with an upload: the same file is chosen again."""
    view = uploads.get_upload(actor=actor, upload_id=upload)
    if view.state == "done":
        return redirect("records:detail", view.record)
    context = {"upload": view, "at": json.dumps(addresses_of(view))}
    return render(request, "records/upload_unfinished.html", context)


@require_GET
@actor_view()
@for_script
def upload_status(request: HttpRequest, actor: Actor, upload: str) -> HttpResponse:
    """Return how far an upload is."""
    del request
    return JsonResponse(_progress(uploads.get_upload(actor=actor, upload_id=upload)))


@require_http_methods(["PUT"])
@actor_view()
@for_script
def upload_part(request: HttpRequest, actor: Actor, upload: str, part: int) -> HttpResponse:
    """One part as the raw body. Sent again, it has one effect."""
    view = upload_parts.receive_part(actor=actor, upload_id=upload, part=part, stream=pieces_of(request))
    return JsonResponse(_progress(view))


@require_http_methods(["PUT"])
@actor_view()
@for_script
def upload_finish(request: HttpRequest, actor: Actor, upload: str) -> HttpResponse:
    """All parts are sent; the body is the digest of them all. Asked again, the same answer."""
    digest = request.read(DIGEST_MAX).decode("ascii", "replace")
    view = upload_parts.finish_upload(actor=actor, upload_id=upload, digest=digest)
    return JsonResponse({"next": reverse("records:detail", args=[view.record])}, status=201)


@require_POST
@actor_view()
def upload_discard(request: HttpRequest, actor: Actor, upload: str) -> HttpResponse:
    """Forget an unfinished upload and its parts."""
    uploads.discard_upload(actor=actor, upload_id=upload)
    messages.success(request, "The unfinished upload was discarded.")
    return redirect("records:upload")


def pieces_of(request: HttpRequest) -> Iterator[bytes]:
    """Yield the raw body piece by piece, never in memory as a whole."""
    return iter(lambda: request.read(PIECE), b"")


def addresses_of(view: UploadView) -> dict[str, Any]:
    """Return the script's addresses: `bytes` a whole file, `parts` (and a number) one part, and so on."""
    names = ("bytes", "status", "finish", "discard")
    addresses = {name: reverse(f"records:upload-{name}", args=[view.id]) for name in names}
    parts = reverse("records:upload-part", args=[view.id, 0]).removesuffix("0/")
    page = reverse("records:upload-unfinished", args=[view.id])
    return addresses | {"parts": parts, "page": page}


def _progress(view: UploadView) -> dict[str, Any]:
    shown = ("state", "part_bytes", "parts", "next_part", "digest", "size")
    return {name: getattr(view, name) for name in shown} | {
        "next": reverse("records:detail", args=[view.record]) if view.state == "done" else ""
    }
