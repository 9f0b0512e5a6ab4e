"""The access history: every view and every step of consent."""

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.actor import Actor
from records.services import log
from records.web.doors import PATIENT, actor_view

TOPICS = (("", "All"), ("views", "Views"), ("sharing", "Sharing"), ("changes", "Record changes"))


@require_GET
@actor_view(PATIENT)
def history(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Show who viewed, asked, was given, and what changed, newest first. With `each`, nothing is folded."""
    query = {name: request.GET.get(name, "") for name in ("topic", "record", "agent", "each")}
    conditions = log.HistoryFilter(
        topic=query["topic"], record=query["record"], agent=query["agent"], fold=not query["each"]
    )
    cursor = request.GET.get("cursor", "")
    page = log.access_history(actor=actor, patient=actor.address, chosen=conditions, cursor=cursor)
    filled = {name: value for name, value in query.items() if value}
    context = {
        "page": page,
        "topics": [(label, topic == conditions.topic, _link(filled, topic=topic)) for topic, label in TOPICS],
        "narrowed": bool(filled),
        "one_record": bool(conditions.record),
        "newest": _link(filled) if cursor else "",
        "older": _link(filled, cursor=page.older) if page.older else "",
        "each": conditions.fold and _link(filled, each="1"),
        "folded": not conditions.fold and _link(filled, each=""),
    }
    return render(request, "records/history.html", context)


def _link(query: dict[str, str], **changes: str) -> str:
    return "?" + urlencode({name: value for name, value in (query | changes).items() if value})
