"""The form by which every page has key tasks done once it is there."""

from django.http import HttpResponse, JsonResponse
from django.views.decorators.http import require_POST

from accounts.errors import VaultClosed
from accounts.requests import PortalRequest
from accounts.services import signup
from accounts.services.key_tasks import due_tasks, run_in_turn
from accounts.web.access import go_next, signed_in
from accounts.web.kept_forms import is_script


@require_POST
@signed_in
def run_key_tasks(request: PortalRequest) -> HttpResponse:
    """Run what waits for this person's keys; a script learns how many were done, and are due still."""
    bundle = request.vault.bundle(request.user)
    if bundle is None:
        raise VaultClosed
    done = run_in_turn(request.user, signup.actors_of(request.user, bundle))
    if is_script(request):
        return JsonResponse({"done": done, "due": due_tasks(request.user).total})
    return go_next(request)
