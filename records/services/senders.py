"""From whom a patient takes nothing into the inbox: obeyed at once, and until its end is confirmed."""

from dataclasses import dataclass

from accounts.actor import Actor
from chain.models import Act, Event
from records.models import BlockedSender
from records.services.naming import people_named_to
from records.shapes import ActState, SenderView


@dataclass(frozen=True)
class Word:
    """What a patient has said of a sender."""

    serial: int
    blocked: bool
    state: ActState = "confirmed"
    act: str = ""


def is_blocked(patient: str, *senders: str) -> bool:
    """Return whether the patient takes nothing from one of these now."""
    words = words_of(patient)
    return any(_blocks(words.get(sender, [])) for sender in senders)


def blocked_by(patient: str) -> list[str]:
    """Everybody from whom the patient takes nothing now."""
    return [sender for sender, said in words_of(patient).items() if _blocks(said)]


def words_of(patient: str) -> dict[str, list[Word]]:
    """By sender, oldest first: the word in force, and what waits or is not deep enough yet."""
    found = [
        (row.sender, Word(row.serial, row.blocked)) for row in BlockedSender.objects.filter(patient=patient)
    ]
    for event in Event.objects.pending().named("SenderBlocked").filter(author=patient):
        found.append((event.args["sender"], Word(event.number, event.args["blocked"], "waiting")))
    for act in Act.objects.waiting().by(patient).of_kind("BlockSender"):
        word = Word(act.number, act.fields["blocked"], "waiting", str(act.pk))
        found.append((act.fields["sender"], word))
    words: dict[str, list[Word]] = {}
    for sender, word in sorted(found, key=lambda one: one[1].serial):
        words.setdefault(sender, []).append(word)
    return words


def list_senders(*, actor: Actor) -> list[SenderView]:
    """Whom the patient has blocked, by name. Who is to be taken again, too, until that is confirmed."""
    words = {sender: said for sender, said in words_of(actor.address).items() if _blocks(said)}
    people = people_named_to(actor, words)
    views = [
        SenderView(sender, people[sender].name_if_known, not said[-1].blocked, said[-1].state, said[-1].act)
        for sender, said in words.items()
    ]
    return sorted(views, key=lambda view: (view.name.casefold(), view.address))


def _blocks(said: list[Word]) -> bool:
    return any(word.blocked for word in said)
