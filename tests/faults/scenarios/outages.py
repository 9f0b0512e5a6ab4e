"""Each party of a whole portal is stopped or hangs, while people read, send and stop sharing; and comes back.

Meanwhile no answer is a 500, every error of the API is JSON, and what needs nothing of the party goes on.
Afterwards everything answers by itself, and what was accepted is confirmed, with its bytes.
"""

import secrets
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import cycle, islice

from tests.faults.parties import Parties, running_parties
from tests.faults.world import World
from tests.story.plain import Answer, Api, PlainVisitor
from tests.story.portal import StoryPortal, wait_for

SECONDS = 5.0  # that a fault lasts at least
ANSWER_WITHIN = 75.0  # seconds: the longest deadline of a party, on a machine that has more to do
HEALED_WITHIN = 60.0
MAILS = 17
_LIMITED_FOR = 75.0  # seconds: 20 resets a minute may come from one address of the network
LETTER = {"title": "Letter", "kind": "11488-4", "file_name": "letter.txt"}
# What a call may answer while a party is away; everything else answers as if nothing was.
_AWAY = {
    "database": {"read": {503}, "send": {503}, "page": {503}, "content": {503}},
    "store": {"send": {503}, "content": {503}},
    "mail": {},
    "cache": {},
    "chain": {},
}
_WELL = {"read": {200}, "send": {201}, "page": {200}, "content": {200}}


@dataclass
class Caller:
    """One person who goes on with the same calls, and what came of them."""

    api: Api
    visitor: PlainVisitor
    known: str
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    accepted: dict[str, bytes] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def call_until(self, over: threading.Event, allowed: dict[str, set[int]]) -> None:
        """Call again and again, each thing at least once."""
        while True:
            self.call_all(allowed)
            if over.is_set():
                return

    def call_all(self, allowed: dict[str, set[int]]) -> bool:
        """Each call once. Return whether all answered as on a good day."""
        began, before = time.monotonic(), len(self.problems)
        well = [
            self._check("read", self.api.get(f"records/{self.known}"), allowed),
            self._check("content", self.api.get(f"records/{self.known}/content"), allowed),
            self._check("page", self.visitor.go("/records/"), allowed),
            self._send(allowed),
        ]
        if (took := time.monotonic() - began) > len(well) * ANSWER_WITHIN:
            self.problems.append(f"four calls took {took:.0f} s")
        return all(well) and len(self.problems) == before

    def _send(self, allowed: dict[str, set[int]]) -> bool:
        content = secrets.token_hex(200).encode()
        described = self.api.send("POST", "uploads", size=len(content), **LETTER)
        if not self._check("send", described, allowed):
            return False
        sent = self.api.put(f"uploads/{described.json()['id']}/content", content)
        well = self._check("send", sent, allowed)
        if well:
            self.accepted[sent.json()["id"]] = content
        return well

    def _check(self, kind: str, answer: Answer, allowed: dict[str, set[int]]) -> bool:
        self.answers[kind, answer.status] += 1
        well = answer.status in _WELL[kind]
        if not well and answer.status not in allowed.get(kind, set()):
            self.problems.append(f"{kind} answered {answer.status}: {answer.text[:200]}")
        is_json = answer.headers.get("Content-Type", "").startswith("application/json")
        if kind != "page" and answer.status >= 400 and not is_json:
            self.problems.append(f"{kind} answered {answer.status} without JSON")
        return well


def outages(world: World, rounds: int) -> None:
    """A round: one fault of one party."""
    with running_parties(StoryPortal(world.folder / "portal")) as parties:
        caller = _open(parties)
        for name in islice(cycle(parties.faults), rounds):
            healed = _suffer(parties, caller, name)
            world.healed.append(healed)
            assert not caller.problems, f"{name}: " + "; ".join(caller.problems[:5])
        for record, content in caller.accepted.items():
            caller.api.wait_for_state(f"records/{record}", "confirmed")
            answer = _read(caller.api, record)
            assert answer.body == content, f"{record} reads as {answer.status}: {answer.text[:200]}"
        said = parties.portal.portal.said()
        assert "Traceback" not in said or " 500 " not in said, said[-3000:]


def _read(api: Api, record: str) -> Answer:
    """The content, asked for again where that is too often for one minute."""

    def within_limits() -> Answer | None:
        answer = api.get(f"records/{record}/content")
        return None if answer.status == 429 else answer

    content = wait_for(within_limits, record)
    assert content is not None
    return content


def _open(parties: Parties) -> Caller:
    visitor = PlainVisitor(parties.portal.url, parties.mail, "Asha Verma", "asha@example.org")  # type: ignore[arg-type]
    visitor.register()
    api = visitor.make_token()
    known = api.upload(b"before", **LETTER)
    api.wait_for_state(f"records/{known}", "confirmed")
    return Caller(api, visitor, known)


def _ask_for_mails(parties: Parties, name: str) -> list[str]:
    """Let a stranger ask for new passwords, more often than there are threads; to which addresses."""
    addresses = [f"{name.replace(' ', '-')}-{number}@example.org" for number in range(MAILS)]
    for address in addresses:
        stranger = PlainVisitor(parties.portal.url, parties.mail, "", "")  # type: ignore[arg-type]
        deadline = time.monotonic() + _LIMITED_FOR
        while (status := stranger.post("/accounts/password/reset/", email=address).status) != 200:
            assert status == 429, f"{name}: a reset answered {status}"
            assert time.monotonic() < deadline, f"{name}: resets are refused for too long"
            time.sleep(1)
    return addresses


def _suffer(parties: Parties, caller: Caller, name: str) -> float:
    """Make one fault while calls go on. Return the seconds after it until all is well again."""
    over, allowed, before = threading.Event(), _AWAY[name.split()[0]], Counter(caller.answers)
    calling = threading.Thread(target=caller.call_until, args=(over, allowed), daemon=True)
    with parties.faults[name]():
        calling.start()
        asked = _ask_for_mails(parties, name) if name.startswith("mail") else []
        calling.join(SECONDS)
        over.set()
        calling.join(4 * ANSWER_WITHIN)  # each call ends by itself, while the fault lasts
    assert not calling.is_alive(), f"{name}: a call did not end"
    seen = caller.answers - before
    hit = [kind for kind, status in seen if status not in _WELL[kind]]
    assert hit or not allowed or name.endswith("restarted"), f"{name}: nobody noticed: {dict(seen)}"
    began = time.monotonic()
    wait_for(lambda: caller.call_all(allowed), f"all to be well after: {name}", HEALED_WITHIN)
    newest = next(reversed(caller.accepted))
    caller.api.wait_for_state(f"records/{newest}", "confirmed")
    wait_for(lambda: set(asked) <= set(parties.mail.server.addresses), f"the mails after: {name}")
    return time.monotonic() - began
