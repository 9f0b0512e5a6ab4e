"""Whether the tasks run that everything waits for."""

from datetime import timedelta

from django.db.models import Exists, OuterRef, Q, QuerySet

from chain.models import Act, Pulse
from chain.models.bulk import insert_rows
from chain.support.shared_clock import SharedNow, shared_now

TASKS = ("chain.tasks.relay", "chain.tasks.sync")
QUIET = timedelta(seconds=30)  # they are asked for every second
LATE = timedelta(seconds=60)  # for an act that nothing holds up
_NOTED_EVERY = timedelta(seconds=5)


def note_run(task: str) -> None:
    """Keep that a task has run. It is written every few seconds, however often it runs."""
    if _heard(_NOTED_EVERY).filter(pk=task).exists():
        return
    if not Pulse.objects.filter(pk=task).update(tick=SharedNow()):
        insert_rows([Pulse(task=task, tick=shared_now())], unique=("task",))


def quiet_tasks() -> list[str]:
    """Return the tasks that no worker has run for a while."""
    running = set(_heard(QUIET).values_list("task", flat=True))
    return [task for task in TASKS if task not in running]


def _heard(span: timedelta) -> QuerySet[Pulse]:
    return Pulse.objects.filter(tick__gte=SharedNow(-span), tick__lte=SharedNow())


def act_is_late() -> bool:
    """Return whether an act waits too long that nothing holds up: no refusal, no act that goes first."""
    waiting = Act.objects.waiting()
    before = Act.needs.through.objects.filter(
        from_act=OuterRef("pk"), to_act__in=waiting.filter(event=None).values("pk")
    )
    long_ago = Q(waiting_tick=None) | Q(waiting_tick__lte=SharedNow(-LATE)) | Q(waiting_tick__gt=SharedNow())
    free = waiting.filter(long_ago, event=None, tries=0, refused_block=None)
    return free.filter(~Exists(before)).exists()
