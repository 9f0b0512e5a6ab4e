"""The admin's operations page: sending and reading at a glance, and an operator's acts, each confirmed."""

from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from chain.errors import ChainError
from chain.indexer.run import reindex_from
from chain.models import Cursor, Event
from chain.operations.actions import ACTIONS, SEE, name_of
from chain.status.health import check_health
from chain.status.overview import overview

PAGE = "admin:chain_operations"
READ_AGAIN = "chain.change_cursor"


class ReadAgainForm(forms.Form):
    """From which block to read again."""

    block = forms.IntegerField(min_value=1, label="Block")

    def __init__(self, *args: Any, cursor: Cursor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cursor = cursor

    def clean_block(self) -> int:
        """Return the block, which was read."""
        block: int = self.cleaned_data["block"]
        if block > self.cursor.seen:
            raise forms.ValidationError(f"Block {self.cursor.seen} is the last that was read.")
        return block


@require_GET
def show(request: HttpRequest) -> HttpResponse:
    """Show the page; to htmx only what changes."""
    _require(request, SEE)
    partly = "HX-Request" in request.headers
    may = {name: _may(request, action.permission) for name, action in ACTIONS.items()}
    context = {
        "seen": overview(),
        "health": check_health(),
        "may": may | {"read_again": _may(request, READ_AGAIN)},
        "confirmations": settings.CHAIN_CONFIRMATIONS,
        "stuck_blocks": settings.CHAIN_STUCK_BLOCKS,
    }
    if partly:
        return render(request, "admin/chain/operations_now.html", context)
    page = {**admin.site.each_context(request), "title": "Operations", **context}
    return render(request, "admin/chain/operations.html", page)


@require_http_methods(["GET", "POST"])
def operate(request: HttpRequest, name: str, pk: int) -> HttpResponse:
    """Say what an action will do to a relayer key or a transaction; do it when that is confirmed."""
    action = ACTIONS.get(name)
    if action is None:
        raise Http404
    _require(request, action.permission)
    row = get_object_or_404(action.model, pk=pk)
    if request.method == "GET":
        return _confirm(request, action.title, name_of(row), action.explain(row), action.label)
    try:
        action.run(row)
    except ChainError as problem:
        return _refused(request, row, action.label, problem)
    return _done(request, row, action.done)


@require_http_methods(["GET", "POST"])
def read_again(request: HttpRequest) -> HttpResponse:
    """Say what reading again from a block means; do it when that is confirmed."""
    _require(request, READ_AGAIN)
    cursor = get_object_or_404(Cursor)
    form = ReadAgainForm(request.POST if request.method == "POST" else request.GET, cursor=cursor)
    if not form.is_valid():
        messages.error(request, "Not read again: " + " ".join(map(str, form.errors["block"])))
        return redirect(PAGE)
    block: int = form.cleaned_data["block"]
    if request.method == "GET":
        subject = f"block {block}, to the head"
        return _confirm(
            request, "Read the chain again?", subject, _explain_read_again(block, cursor), "Read again"
        )
    try:
        reindex_from(block)
    except ChainError as problem:
        return _refused(request, cursor, f"Read again from block {block}", problem)
    return _done(request, cursor, f"The chain is read again from block {block}")


def _explain_read_again(block: int, cursor: Cursor) -> list[str]:
    count = Event.objects.filter(block_number__gte=block).count()
    events = "1 event" if count == 1 else f"{count:,} events"
    return [
        f"{cursor.seen - block + 1:,} blocks with {events} are forgotten, and read again from the node, "
        "which begins within a second. Nothing is sent, and nothing on the chain changes.",
        "Until then the tables are as they were before that block: access granted since does not open "
        "yet, records made since are not listed, and acts that those blocks confirmed show as waiting. A "
        "revoke made in this portal holds all along; one sent straight to the contract counts again once "
        "its block is read.",
        "If the node no longer has those events, they are not in the tables afterwards: take a backup first "
        "where old blocks are pruned.",
    ]


def _confirm(
    request: HttpRequest, title: str, subject: str, sentences: list[str], label: str
) -> HttpResponse:
    context = {
        **admin.site.each_context(request),
        "title": title,
        "subject": subject,
        "sentences": sentences,
        "label": label,
        "block": request.GET.get("block", ""),
    }
    return render(request, "admin/chain/operations_confirm.html", context)


def _done(request: HttpRequest, row: Model, done: str) -> HttpResponse:
    _log(request, row, f"{done}.")
    messages.success(request, f"{done}: {name_of(row)}.")
    return redirect(PAGE)


def _refused(request: HttpRequest, row: Model, what: str, problem: ChainError) -> HttpResponse:
    _log(request, row, f"{what}: refused. {problem}")
    messages.error(request, f"{what}: this did not go through. {problem}")
    return redirect(PAGE)


def _log(request: HttpRequest, row: Model, message: str) -> None:
    user = cast(AbstractBaseUser, request.user)  # admin_view lets nobody else in
    LogEntry.objects.log_actions(user.pk, [row], CHANGE, message, single_object=True)


def _may(request: HttpRequest, permission: str) -> bool:
    return request.user.is_authenticated and request.user.has_perm(permission)


def _require(request: HttpRequest, permission: str) -> None:
    """Whoever may do something here may also see the page it stands on."""
    if not (_may(request, SEE) and _may(request, permission)):
        raise PermissionDenied
