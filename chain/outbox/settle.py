"""The end of an act: the only place where its state leaves `waiting`, and the handlers hear of it."""

from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone

from chain.contract.refusals import Refusal
from chain.models import Act, ActState, Event
from chain.models.bulk import batches
from chain.registry import announce_act

_OVERTAKEN = Refusal("Overtaken", "Another act took this one's place on the chain.")


def confirm_acts(events: Sequence[Event]) -> None:
    """Confirm the acts that applied events equal in every field, those of them that are ours.

    Also those that had failed or come back: the event is the proof. Inside the caller's transaction.
    """
    by_digest = {event.act_digest: event for event in events}
    places = {digest: place for place, digest in enumerate(by_digest)}
    for digests in batches(by_digest):
        rows = Act.objects.filter(digest__in=digests).defer("fields", "signature")  # handlers seldom look
        # no_key: an act that is just being accepted may refer to one of these; we would meet in a deadlock
        acts = list(rows.exclude(state=ActState.CONFIRMED).order_by("pk").select_for_update(no_key=True))
        _confirm(sorted(acts, key=lambda act: places[act.digest]), by_digest)


def _confirm(acts: list[Act], events: dict[str, Event]) -> None:
    now = timezone.now()
    for act in acts:
        if act.state != ActState.WAITING:
            act.was_refused = True
            _overtake(act)
        if act.event_id != events[act.digest].pk:
            Act.objects.filter(pk=act.pk).update(event=events[act.digest])
        act.state, act.event, act.settled_at = ActState.CONFIRMED, events[act.digest], now
        act.error = act.error_code = ""
    Act.objects.filter(pk__in=[act.pk for act in acts]).update(
        state=ActState.CONFIRMED, settled_at=now, replay_place=None, error="", error_code=""
    )
    for act in acts:
        announce_act(act)


def _overtake(act: Act) -> None:
    """An act that was given up is on the chain after all: who took its place there waits in vain."""
    for rival in Act.objects.waiting().filter(slot=act.slot, number=act.number).exclude(pk=act.pk):
        refuse_act(rival, ActState.RETURNED, _OVERTAKEN)


def link_act(act: Act, event: Event) -> None:
    """Note that the act is on the chain; confirm it if its event is applied already."""
    with transaction.atomic():
        Act.objects.filter(pk=act.pk).update(event=event)
        if event.applied:
            confirm_acts([event])


def refuse_act(act: Act, state: ActState, refusal: Refusal) -> bool:
    """Settle a waiting act as failed or returned; False if it was settled meanwhile."""
    with transaction.atomic():
        changed = (
            Act.objects.waiting()
            .filter(pk=act.pk)
            .update(
                state=state,
                error=refusal.text,
                error_code=refusal.code,
                settled_at=timezone.now(),
                retry_tick=None,
                replay_place=None,
            )
        )
        if changed:
            act.refresh_from_db()
            announce_act(act)
    return bool(changed)
