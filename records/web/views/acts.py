"""How far a signed act has come: fragments that htmx polls until it is settled."""

import uuid

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.actor import Actor
from chain.models import Act
from records.errors import NotFound
from records.web.doors import actor_view


@require_GET
@actor_view(needs_keys=False)
def act_status(request: HttpRequest, actor: Actor, act_id: uuid.UUID) -> HttpResponse:
    """A badge, or with ?full=1 the state with block and transaction. Of somebody else's act: 404."""
    act = Act.objects.select_related("event").filter(pk=act_id).first()
    if act is None or actor.address not in (act.author, act.subject):
        raise NotFound
    if request.GET.get("full"):
        return render(request, "records/act.html", {"act": act})
    return render(request, "records/state.html", {"state": act.state, "act": str(act.pk)})
