"""What waits for a patient's answer: counted, folded by sender and cut into pages by SQL.

Anybody can ask any patient as often as he or she pays for it, so nothing here opens more than it shows.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Value, Window
from django.db.models.fields.json import KT
from django.db.models.functions import Concat, RowNumber

from accounts.actor import Actor
from chain.models import Act
from records.errors import Conflict, InvalidInput
from records.models import EmailRequest, Grant, Request
from records.services.consent import request_views
from records.services.requests import deny_request
from records.services.senders import blocked_by
from records.shapes import RequestView

REFUSED_AT_ONCE = 25


@dataclass(frozen=True)
class RequestGroup:
    """The newest open request of one sender, and how many there are of the same."""

    newest: RequestView
    count: int


def open_requests(patient: str, *, blocked: bool = False) -> QuerySet[Request]:
    """Requests on the chain that nothing has answered, of senders who are blocked or of all the others."""
    answers = Act.objects.waiting().of_kind("DenyAccess", "WithdrawRequest")
    answered = answers.filter(slot=Concat(Value("answer:"), OuterRef("request")))
    asker = Q(grantee=OuterRef("author")) | Q(grantee=OuterRef("via"))
    granted = Grant.objects.filter(asker, request=OuterRef("request"), patient=OuterRef("patient"))
    grants = Act.objects.waiting().by(patient).of_kind("GrantAccess")
    told = grants.alias(request=KT("fields__request"), grantee=KT("fields__grantee"))
    under_way: QuerySet[Any, Any] = told
    senders = blocked_by(patient)
    unwelcome = Q(author__in=senders) | Q(via__in=senders)
    return Request.objects.filter(
        unwelcome if blocked else ~unwelcome,
        ~Exists(answered),
        ~Exists(granted),
        ~Exists(under_way.filter(asker, request=OuterRef("request"))),
        patient=patient,
        state=Request.State.OPEN,
    )


def count_open(*, actor: Actor) -> int:
    """Return how many requests wait for this patient's answer, mailed ones too."""
    return open_requests(actor.address).count() + len(_open_mailed(actor))


def group_open(*, actor: Actor, limit: int) -> list[RequestGroup]:
    """The senders who asked last, each with the newest request. Mailed requests stand by themselves."""
    same = [F("author"), F("via")]
    latest = [F("requested_at").desc(), F("request").desc()]
    rows = open_requests(actor.address).annotate(
        place=Window(RowNumber(), partition_by=same, order_by=latest), of_sender=Window(Count("pk"), same)
    )
    newest: list[Any] = list(rows.filter(place=1).order_by(*latest)[:limit])
    counts = {row.request: row.of_sender for row in newest}
    views = request_views(actor, newest, [], []) + _open_mailed(actor)[:limit]
    views.sort(key=lambda view: view.requested_at, reverse=True)
    return [RequestGroup(view, counts.get(view.id, 1)) for view in views[:limit]]


def list_mailed(*, actor: Actor) -> list[RequestView]:
    """The mailed requests that wait for an answer: each was opened by a visit, so there are few."""
    return _open_mailed(actor)


def refuse_listed(*, actor: Actor, requests: list[str]) -> int:
    """Refuse these requests, without a reason. One that was answered meanwhile is left. Returns how many.

    Raises InvalidInput (too many at once), NotFound, ChainDown, VaultClosed.
    """
    if len(requests) > REFUSED_AT_ONCE:
        raise InvalidInput("request", f"At most {REFUSED_AT_ONCE} requests are refused at once.")
    refused = 0
    for request in requests:
        with suppress(Conflict):
            deny_request(actor=actor, request=request)
            refused += 1
    return refused


def list_open(
    *, actor: Actor, author: str = "", blocked: bool = False, start: int, end: int
) -> list[RequestView]:
    """The open requests on the chain from `start` to `end`, newest first, of one author if given."""
    rows = _of(open_requests(actor.address, blocked=blocked), author)
    return request_views(actor, list(rows.order_by("-requested_at", "-request")[start:end]), [], [])


def count_listed(*, actor: Actor, author: str = "", blocked: bool = False) -> int:
    """Return how many `list_open` has in all."""
    return _of(open_requests(actor.address, blocked=blocked), author).count()


def _of(rows: QuerySet[Request], author: str) -> QuerySet[Request]:
    return rows.filter(author=author) if author else rows


def _open_mailed(actor: Actor) -> list[RequestView]:
    """The links that this patient has opened: each by a visit, so there are few."""
    rows = EmailRequest.objects.filter(patient=actor.address, state=EmailRequest.State.SENT)
    return [view for view in request_views(actor, [], [], list(rows)) if view.state == "open"]
