"""What doctors have left for the patient: filed into a folder, or refused."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts.actor import Actor
from records.errors import NotFound
from records.services import documents, folders, inbox, senders
from records.web.doors import PATIENT, actor_view, run_form
from records.web.forms.documents import FolderChoiceForm, SenderForm

PAGE = 20


@require_GET
@actor_view(PATIENT)
def inbox_list(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Records that wait to be filed or refused."""
    return _render_inbox(request, actor, 200)


@require_POST
@actor_view(PATIENT)
def inbox_file(request: HttpRequest, actor: Actor, record: str) -> HttpResponse:
    """Take a record into a folder."""

    def file(data: dict[str, int]) -> HttpResponse:
        inbox.file_record(actor=actor, record=record, folder=data["folder"])
        messages.success(request, "Filed.")
        return redirect("records:inbox")

    form = FolderChoiceForm(request.POST, folders=folders.list_folders(actor=actor))
    done, status = run_form(form, file)
    return done or _render_inbox(request, actor, status, form)


@require_POST
@actor_view(PATIENT)
def inbox_refuse(request: HttpRequest, actor: Actor, record: str) -> HttpResponse:
    """Refuse a record: it takes no further versions and leaves the inbox."""
    inbox.refuse_record(actor=actor, record=record)
    messages.success(request, "Refused. It is kept under closed records.")
    return redirect("records:inbox")


@actor_view(PATIENT)
def inbox_block(request: HttpRequest, actor: Actor, record: str) -> HttpResponse:
    """Take nothing more from who left this record: the doctor, or everybody of the institution."""
    view = documents.get_record(actor=actor, record=record)
    if view.patient != actor.address or view.author == actor.address:
        raise NotFound("Nobody has left this record for you.")

    def block(data: dict[str, str]) -> HttpResponse:
        inbox.block_sender(actor=actor, sender=data["sender"])
        messages.success(request, "Blocked. Nothing more comes into your inbox from there.")
        return redirect("records:inbox")

    form = SenderForm(request.POST if request.method == "POST" else None, record=view)
    done, status = run_form(form, block)
    return done or render(request, "records/block.html", {"form": form, "record": view}, status=status)


@require_POST
@actor_view(PATIENT)
def inbox_unblock(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Take records from a sender again."""
    sender = request.POST.get("sender", "")
    if sender not in {view.address for view in senders.list_senders(actor=actor)}:
        raise NotFound("You have not blocked this sender.")
    inbox.block_sender(actor=actor, sender=sender, blocked=False)
    messages.success(request, "Records come in from there again once that is confirmed.")
    return redirect("records:inbox")


def _render_inbox(
    request: HttpRequest, actor: Actor, status: int, failed: FolderChoiceForm | None = None
) -> HttpResponse:
    page = Paginator(range(documents.count_shown_inbox(actor.address)), PAGE).get_page(
        request.GET.get("page")
    )
    start = max(page.start_index() - 1, 0)
    blocked = senders.list_senders(actor=actor)
    context = {
        "page": page,
        "records": documents.list_inbox(actor=actor, start=start, end=start + PAGE),
        "folded": inbox.list_folded(actor=actor),
        "folders": folders.list_folders(actor=actor),
        "failed": failed,
        "senders": blocked,
        "unsettled": any(view.state == "waiting" for view in blocked),
    }
    return render(request, "records/inbox.html", context, status=status)
