"""Counting against the limits of `accounts.limits`, and refusing what would go over one.

Counted are rows that are there anyway: acts, mailed requests, invitations, uploads. So a limit survives
restarts, and page and API share it. A raw transaction passes none of this: what it brings
is folded where it is shown.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import QuerySet, Sum
from django.template.defaultfilters import filesizeformat
from django.utils import timezone

from accounts.errors import LimitReached
from accounts.limits import LIMITS
from accounts.models import Account
from chain.acts.messages import PreparedAct
from chain.models import Act
from chain.registry import on_act_offered

DAY = timedelta(days=1)
# These protect somebody or end something, follow from other acts, or are the portal's own.
NEVER_REFUSED = (
    "AdmitInstitution",
    "AnchorLog",
    "CloseRecord",
    "DenyAccess",
    "GiveUpAccess",
    "LeaveInstitution",
    "NameRecovery",
    "PublishKey",
    "RekeyFolder",
    "ReplaceKeys",
    "RevokeAccess",
    "WithdrawRequest",
)


def most_of(name: str) -> int:
    """A limit as this portal has it. 0: none."""
    most: int = settings.LIMITS[name]
    return most


def check_count(name: str, rows: "QuerySet[Any]", *, adds: int = 1) -> None:
    """Raise LimitReached if `adds` more rows within a day would be over the limit."""
    most = most_of(name)
    if not most:
        return
    today = rows.filter(created_at__gt=timezone.now() - DAY)
    if today.order_by()[: most + 1].count() + adds > most:
        first = today.order_by("created_at").values_list("created_at", flat=True).first()
        raise _reached(name, f"{most:,}", first or timezone.now())


def check_bytes(name: str, rows: "QuerySet[Any]", *, adds: int) -> None:
    """The same for the sum of `size`; of all rows, where the limit is no daily one."""
    most = most_of(name)
    if not most:
        return
    counted = rows.filter(created_at__gt=timezone.now() - DAY) if LIMITS[name].daily else rows
    if (counted.aggregate(sum=Sum("size"))["sum"] or 0) + adds > most:
        raise _reached(name, filesizeformat(most), timezone.now())


def check_total(name: str, count: int) -> None:
    """Raise LimitReached if there are that many already."""
    most = most_of(name)
    if most and count >= most:
        raise _reached(name, f"{most:,}", timezone.now())


def wait_in_line(addresses: Iterable[str]) -> None:
    """Keep others who count for these accounts waiting until the transaction ends."""
    if connection.in_atomic_block:
        rows = Account.objects.select_for_update(no_key=True).filter(address__in=set(addresses))
        list(rows.order_by("pk").values_list("pk"))


def _reached(name: str, most: str, since: datetime) -> LimitReached:
    limit = LIMITS[name]
    words = limit.words.format(most=most)
    if not limit.daily:
        return LimitReached(words)
    seconds = max(1, int((since + DAY - timezone.now()).total_seconds()))
    return LimitReached(f"{words} Try again tomorrow.", retry_after=seconds)


@on_act_offered
def check_acts(act: PreparedAct) -> None:
    """All acts of an account, and its grants."""
    if act.kind in NEVER_REFUSED or (act.kind == "BlockSender" and act.fields["blocked"]):
        return
    mine = Act.objects.by(act.author)
    check_count("ACTS_PER_ACCOUNT", mine)
    if act.kind == "GrantAccess":
        check_count("GRANTS_PER_PATIENT", mine.of_kind("GrantAccess"))
