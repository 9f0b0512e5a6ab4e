"""The end of an act: the only place where its state leaves `waiting`, and the handlers hear of it."""

from django.db import transaction
from django.utils import timezone

from chain.handlers import announce_act
from chain.models import Act, ActState, Event
from chain.refusals import Refusal

_OVERTAKEN = Refusal("Overtaken", "Another act took this one's place on the chain.")


def confirm_act(event: Event) -> None:
    """Confirm the act that an applied event equals in every field, if it is one of ours.

    Also one that had failed or come back: the event is the proof. Inside the caller's transaction.
    """
    act = Act.objects.filter(digest=event.act_digest).exclude(state=ActState.CONFIRMED).first()
    if act is None:
        return
    for rival in Act.objects.waiting().filter(slot=act.slot, number=act.number).exclude(pk=act.pk):
        refuse_act(rival, ActState.RETURNED, _OVERTAKEN)
    act.state, act.event, act.settled_at = ActState.CONFIRMED, event, timezone.now()
    act.error = act.error_code = ""
    act.save(update_fields=["state", "event", "settled_at", "error", "error_code"])
    announce_act(act)


def link_act(act: Act, event: Event) -> None:
    """Note that the act is on the chain; confirm it if its event is applied already."""
    with transaction.atomic():
        Act.objects.filter(pk=act.pk).update(event=event)
        if event.applied:
            confirm_act(event)


def refuse_act(act: Act, state: ActState, refusal: Refusal) -> bool:
    """Settle a waiting act as failed or returned; False if it was settled meanwhile."""
    with transaction.atomic():
        changed = (
            Act.objects.waiting()
            .filter(pk=act.pk)
            .update(
                state=state,
                error=refusal.words,
                error_code=refusal.code,
                settled_at=timezone.now(),
                retry_at=None,
            )
        )
        if changed:
            act.refresh_from_db()
            announce_act(act)
    return bool(changed)
