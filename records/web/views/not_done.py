"""What a person did and was not done: do it again, or leave it."""

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts.actor import Actor
from records.services import refusals
from records.web.doors import actor_view


@require_GET
@actor_view()
def not_done(request: HttpRequest, actor: Actor, refusal: uuid.UUID) -> HttpResponse:
    """Show what was not done, and what can be done about it."""
    view = refusals.get_refusal(actor=actor, refusal=refusal)
    return render(request, "records/not_done.html", {"refusal": view})


@require_POST
@actor_view()
def do_again(request: HttpRequest, actor: Actor, refusal: uuid.UUID) -> HttpResponse:
    """Do it again."""
    refusals.send_refused(actor=actor, refusal=refusal)
    messages.success(request, "Done again. It shows as waiting until it is confirmed.")
    return redirect("home")


@require_POST
@actor_view()
def leave_it(request: HttpRequest, actor: Actor, refusal: uuid.UUID) -> HttpResponse:
    """Leave it as it is."""
    refusals.drop_refused(actor=actor, refusal=refusal)
    messages.success(request, "Left as it is.")
    return redirect("home")
