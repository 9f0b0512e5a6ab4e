"""Giving access and taking it back: choose, see exactly what is signed, confirm."""

import json
from datetime import date, datetime, time
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import directory
from accounts.actor import Actor
from accounts.models import Account
from records.errors import Conflict, InvalidInput, NotFound
from records.services import consent, documents, folders, grants, open_requests, revocations
from records.services.envelopes import UNUSABLE
from records.services.naming import person_named_to
from records.services.terms import DAYS_MAX
from records.shapes import GrantView, RecordView, RequestView
from records.web.doors import DOCTOR, PATIENT, actor_view, run_form
from records.web.forms.consent import FOLDERS, RECORDS, SELECTION, GranteeForm, GrantForm

SENDERS = 20
ENDED = ("revoked", "given up", "expired", "ended", "failed")


@require_GET
@actor_view(PATIENT)
def grant_list(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Who has access to what, and who had."""
    grants_given = consent.grants_by(actor=actor)
    ended = [grant for grant in grants_given if grant.state in ENDED]
    context = {
        "grants": [grant for grant in grants_given if grant.state not in ENDED],
        "revoking": [grant for grant in ended if _on_its_way(grant)],
        "ended": [grant for grant in ended if not _on_its_way(grant)],
        "groups": open_requests.group_open(actor=actor, limit=SENDERS),
        "request_count": open_requests.count_open(actor=actor),
    }
    return render(request, "records/grants.html", context)


@require_http_methods(["GET", "POST"])
@actor_view(PATIENT)
def grant_new(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Choose what is shared: as an answer (?request=), or with somebody named (?grantee=)."""
    if request_id := request.GET.get("request"):
        access_request = consent.get_request(actor=actor, request=request_id)
        if access_request.state not in ("open", "granted"):
            raise Conflict("This request was answered or taken back already.")
        return _choose(request, actor, grantee=access_request.author, access_request=access_request)
    form = GranteeForm(request.GET if "grantee" in request.GET else None)
    done, status = run_form(form, lambda data: _choose(request, actor, grantee=_reachable(data["grantee"])))
    return done or render(request, "records/grant_whom.html", {"form": form}, status=status)


@require_POST
@actor_view(PATIENT)
def grant_confirm(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Sign exactly what the confirmation page showed."""
    grants.grant_access(actor=actor, proposal=request.POST.get("proposal", ""))
    messages.success(request, "Signed. Access opens once it is confirmed.")
    return redirect("records:grants")


@require_http_methods(["GET", "POST"])
@actor_view(PATIENT)
def revoke(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Take a grant back. The portal obeys at once, and the chain confirms."""
    values = request.POST if request.method == "POST" else request.GET
    chosen_grant = {name: values.get(name, "") for name in ("grantee", "via", "scope")}
    if request.method == "POST":
        revocations.revoke_access(actor=actor, **chosen_grant)
        messages.success(request, "Revoked. From now on every look is refused.")
        return redirect("records:grants")
    sought = tuple(chosen_grant.values())
    grants_given = consent.grants_by(actor=actor)
    matching = [each for each in grants_given if (each.grantee, each.via, each.scope) == sought]
    if not matching:
        raise NotFound
    return render(request, "records/revoke.html", {"grant": matching[0]})


def _choose(
    request: HttpRequest, actor: Actor, *, grantee: str, access_request: RequestView | None = None
) -> HttpResponse:
    person = person_named_to(actor, grantee)
    terms = access_request.terms if access_request else None
    form = GrantForm(
        request.POST if request.method == "POST" else None,
        folders=folders.list_folders(actor=actor),
        records=_shareable(actor),
        places=[] if access_request else _places(person),
        days=min(max(terms.days, 1), DAYS_MAX) if terms else 90,  # the asker may have written anything
        initial=_wished(access_request),
    )

    def propose(data: dict[str, Any]) -> HttpResponse:
        own = grantee if person.kind == Account.Kind.INSTITUTION else ""
        proposal = grants.propose_grant(
            actor=actor,
            grantee=grantee,
            via=access_request.via if access_request else data.get("via", own),
            **_scopes(data),
            permissions="read" if data["what"] == SELECTION else data["permissions"],
            not_before=None,
            expires_at=_end_of(data["expires_at"]),
            request=access_request.id if access_request else None,
        )
        acts = [(act.words, _message(act.typed_data)) for act in proposal.acts]
        return render(request, "records/grant_confirm.html", {"proposal": proposal, "acts": acts})

    done, status = run_form(form, propose)
    context = {"form": form, "person": person, "asked": access_request}
    return done or render(request, "records/grant_new.html", context, status=status)


@require_POST
@actor_view(DOCTOR)
def give_up(request: HttpRequest, actor: Actor, address: str) -> HttpResponse:
    """A doctor gives back what a patient granted."""
    values = request.POST
    revocations.give_up_access(
        actor=actor, patient=address, via=values.get("via", ""), scope=values.get("scope", "")
    )
    messages.success(request, "Given back. You have that access no longer.")
    return redirect("home")


def _on_its_way(grant: GrantView) -> bool:
    """Whether the portal obeys a revoke that the chain has still to confirm."""
    return grant.state == "revoked" and bool(grant.act)


def _message(typed_data: dict[str, Any]) -> str:
    """An EIP-712 message to be read: what it says first, its types last."""
    parts = ("primaryType", "message", "domain", "types")
    return json.dumps({part: typed_data[part] for part in parts}, indent=2)


def _scopes(data: dict[str, Any]) -> dict[str, Any]:
    """What was chosen, as the service takes it."""
    if data["what"] == FOLDERS:
        return {"folders": data["folders"]}
    if data["what"] == RECORDS:
        return {"records": data["records"]}
    return {"selection": True, "kinds": data["kinds"], "since": data["since"], "until": data["until"]}


def _reachable(address: str) -> str:
    """The address, if something can be sealed to it: the chain tells that of everybody's."""
    if directory.unusable_keys([address]):
        raise InvalidInput("grantee", UNUSABLE)
    if not directory.has_published_key(address):
        raise InvalidInput(
            "grantee",
            "Nothing can be shared with this address yet. Copy it from the doctor or the institution.",
        )
    return address


def _places(person: directory.Person) -> list[tuple[str, str]]:
    if person.kind != Account.Kind.PRACTITIONER:
        return []
    places = [(each.address, each.name) for each in directory.affiliations_of(person.address)]
    if not places:
        raise InvalidInput(
            "grantee", f"{person.name} belongs to no admitted institution now, so nothing can be granted."
        )
    return places


def _shareable(actor: Actor) -> list[RecordView]:
    records = documents.list_records(actor=actor, patient=actor.address, inbox=False)
    return [
        record
        for record in records
        if record.folder and record.readable and not record.closed and record.state == "confirmed"
    ]


def _wished(access_request: RequestView | None) -> dict[str, Any]:
    if access_request is None or access_request.terms is None:
        return {"folders": [1]}
    terms = access_request.terms
    return {
        "what": SELECTION if terms.kinds else FOLDERS,
        "folders": [1],
        "kinds": terms.kinds,
        "permissions": "write" if terms.write else "read",
    }


def _end_of(day: date) -> datetime:
    """The last second of a day, in the portal's time zone."""
    return timezone.make_aware(datetime.combine(day, time(23, 59, 59)))
