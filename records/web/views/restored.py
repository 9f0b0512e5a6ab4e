"""What a restore from a backup changed for a person: read once, and then put away."""

import uuid

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from accounts.actor import Actor
from accounts.models import Errand
from accounts.services.errands import settle_errand
from records.errors import NotFound
from records.services.after_restore import AFTER_RESTORE, changes_of
from records.services.naming import people_named_to
from records.web.doors import PATIENT, actor_view


@require_http_methods(["GET", "POST"])
@actor_view(needs_keys=False)
def restored(request: HttpRequest, actor: Actor, errand: uuid.UUID) -> HttpResponse:
    """The page, and its one button. Of somebody else's: 404."""
    row = Errand.objects.filter(pk=errand, account=actor.address, kind=AFTER_RESTORE).first()
    if row is None:
        raise NotFound
    if request.method == "POST":
        settle_errand(row)
        return redirect("home")
    changes = changes_of(row)
    people = people_named_to(actor, {who for _, who, _ in changes.lost if who})
    lost = [(what, people[who].name if who else "", at) for what, who, at in changes.lost]
    context = {
        "changes": changes,
        "lost": lost,
        "read": row.state != Errand.State.OPEN,
        "shares": actor.kind == PATIENT,
    }
    return render(request, "records/restored.html", context)
