"""One answer of a request at a time: a grant, a refusal, or its author's taking it back.

The chain takes a refusal and a grant side by side, so the portal decides which came first. An answer reads
how many answers there were, then looks at the request's state, and names that number when it is accepted. If
another was faster, the number has moved on, and nothing of the second answer is kept.

A request whose answer fails on the chain is open again. Its next answer names the new number.
"""

from django.db import IntegrityError, transaction
from django.utils import timezone

from records.errors import Conflict
from records.models import RequestAnswer

ANSWERED = "This request was answered or taken back already. Look again, and decide anew."


def answers_seen(request: str) -> int:
    """Return how many answers this request has had. Ask before its state is looked at."""
    return RequestAnswer.objects.filter(pk=request).values_list("number", flat=True).first() or 0


def claim_answer(request: str, *, seen: int) -> None:
    """Make the caller's answer the next one, in the caller's transaction.

    Raises Conflict if another came since `seen` was read. That has to roll back the caller's transaction.
    """
    if seen:
        rows = RequestAnswer.objects.filter(pk=request, number=seen)
        if not rows.update(number=seen + 1, answered_at=timezone.now()):
            raise Conflict(ANSWERED)
        return
    try:
        with transaction.atomic():
            RequestAnswer.objects.create(pk=request)
    except IntegrityError as error:
        raise Conflict(ANSWERED) from error
