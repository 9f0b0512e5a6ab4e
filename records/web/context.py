"""What every page shows around its content: links, counts, who acts, and the banners."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from accounts.actor import Actor
from accounts.models import Account, Institution, Membership, User
from accounts.requests import SignedIn
from accounts.services.errands import ErrandCard, decisions_for
from accounts.services.key_tasks import DueTasks, due_tasks
from accounts.vault_session import VaultSession
from chain.status.summary import chain_status
from records.services import documents

ROLES = {"patient": "patient", "practitioner": "doctor", "institution": "institution", "machine": "machine"}
PATIENT_LINKS = (
    ("Home", "house", "home"),
    ("Records", "file-earmark-medical", "records:list"),
    ("Sharing", "people", "records:grants"),
    ("History", "clock-history", "records:history"),
    ("Inbox", "inbox", "records:inbox"),
)
DOCTOR_LINKS = (
    ("Patients", "people", "home"),
    ("Ask", "person-plus", "records:request-new"),
    ("Requests", "send", "records:requests"),
)


@dataclass(frozen=True)
class Link:
    """One entry of the main navigation."""

    label: str
    icon: str
    url: str
    current: bool
    count: int = 0


class Portal:
    """Looked up only when a template asks, so that fragments and downloads pay nothing."""

    def __init__(self, request: HttpRequest) -> None:
        self.path = request.path
        self.full_path = request.get_full_path() if request.method == "GET" else ""
        self.user: User | None = request.user if isinstance(request.user, User) else None
        self.actor: Actor | None = getattr(request, "actor", None)
        self.signed_in: SignedIn | None = getattr(request, "signed_in", None)
        self.vault: VaultSession = getattr(request, "vault", None) or VaultSession(None)

    @property
    def role(self) -> str:
        """As what the person acts, in a word."""
        return ROLES[self.actor.kind] if self.actor else ""

    @cached_property
    def other_accounts(self) -> list[Account]:
        """Accounts of this person other than the one that acts."""
        if self.signed_in is None or self.actor is None:
            return []
        return [each for each in self.signed_in.accounts if each.address != self.actor.address]

    @cached_property
    def managed(self) -> list[Institution]:
        """Institutions this person manages."""
        if self.signed_in is None or not self.signed_in.manages:
            return []
        return list(
            Institution.objects.filter(
                memberships__user=self.user,
                memberships__role=Membership.Role.MANAGER,
                memberships__state=Membership.State.ACTIVE,
            )
        )

    @cached_property
    def phrase_missing(self) -> bool:
        """Whether the recovery phrase was never checked."""
        return self.actor is not None and self.signed_in is not None and self.signed_in.doubts_phrase

    @cached_property
    def errands(self) -> list[ErrandCard]:
        """What waits for this account: decisions, and news to read."""
        return decisions_for(self.actor.address) if self.actor else []

    @cached_property
    def news(self) -> list[ErrandCard]:
        """What has to be read, and is told in its own words."""
        return [card for card in self.errands if card.is_news]

    @cached_property
    def decision_count(self) -> int:
        """How many errands wait for a decision of this account."""
        return len(self.errands) - len(self.news)

    @cached_property
    def key_tasks(self) -> DueTasks | None:
        """What the page can have done now that this person's keys are open; None while they are closed."""
        if self.user is None or self.actor is None or not self.vault.is_open(self.user):
            return None
        return due_tasks(self.user)

    @cached_property
    def chain_problem(self) -> str:
        """A sentence while the chain takes nothing, else empty."""
        if self.actor is None:
            return ""
        status = chain_status()
        if not status.reachable:
            return (
                "Nothing can be confirmed just now. What you do is kept and will be confirmed when that "
                "is possible again. A revoke already holds."
            )
        if status.paused_reason:
            return (
                "Nothing is sent to be confirmed just now. What you do is kept and will be confirmed when "
                "sending goes on. A revoke already holds. Those who run this portal can see the cause."
            )
        return ""

    @cached_property
    def links(self) -> list[Link]:
        """The main navigation, for a patient or for a doctor; the entry whose page this is, is current."""
        if self.actor is None:
            return []
        entries = PATIENT_LINKS if self.actor.kind == Account.Kind.PATIENT else DOCTOR_LINKS
        urls = [reverse(name) for _, _, name in entries]
        matching = [url for url in urls if self.path == url or (url != "/" and self.path.startswith(url))]
        current = max(matching, key=len, default="")
        counts = {"records:inbox": self.inbox_count}
        return [
            Link(label=label, icon=icon, url=url, current=url == current, count=counts.get(name, 0))
            for (label, icon, name), url in zip(entries, urls, strict=True)
        ]

    @cached_property
    def inbox_count(self) -> int:
        """Records waiting to be filed or refused; a doctor has no inbox."""
        if self.actor is None or self.actor.kind != Account.Kind.PATIENT:
            return 0
        return documents.count_inbox(self.actor.address)


def portal(request: HttpRequest) -> dict[str, Any]:
    """Context processor: `portal` in every template."""
    return {"portal": Portal(request)} if hasattr(request, "user") else {}
