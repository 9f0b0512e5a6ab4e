"""`/healthz` and `/readyz`, for whoever watches the processes: no sign-in, no cookie, no redirect.

`/healthz` says that this process answers, and touches nothing. `/readyz` asks what the portal stands on.
"""

from django.http import HttpRequest, HttpResponse, JsonResponse

from chain.status.health import check_health


def live(request: HttpRequest) -> HttpResponse:
    """200: the process answers."""
    del request
    return JsonResponse({"live": True})


def ready(request: HttpRequest) -> HttpResponse:
    """200 or 503, and each check: ok, or a short reason."""
    del request
    answers = check_health()
    checks = {one.name: {"ok": True} if one.ok else {"ok": False, "reason": one.reason} for one in answers}
    well = all(one.ok for one in answers)
    return JsonResponse({"ready": well, "checks": checks}, status=200 if well else 503)
