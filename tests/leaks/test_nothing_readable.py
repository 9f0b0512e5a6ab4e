"""With everything stored in hand, but no password, nothing of a record or a request can be read."""

import json
from collections.abc import Iterator
from itertools import chain as joined

import pytest

from chain.localchain.rpc import Rpc
from tests.leaks.search import files_of, find_words, opened_sessions, rows_of, sessions_of
from tests.leaks.stores import database_of, redis_of
from tests.leaks.story import MarkedStory, session_cookies, vault_keys
from tests.servers.share import own_share
from tests.story.plain import PlainVisitor
from tests.story.portal import PASSWORD, StoryPortal

pytestmark = pytest.mark.slow

SUSPENDED = "account_reauthentication_state"  # where allauth keeps a POST, cookies and all
POSTS = [
    ("/accounts/email/", {"action_add": "", "email": "second@example.org"}),
    ("/accounts/2fa/totp/activate/", {"code": "123456"}),
    ("/accounts/2fa/recovery-codes/generate/", {}),
    ("/accounts/password/change/", {"oldpassword": PASSWORD, "password1": "short", "password2": "other"}),
    ("/accounts/password/reset/", {"email": "asha@example.org"}),
    ("/accounts/reauthenticate/", {"password": "not the password"}),
    ("/accounts/login/", {"login": "asha@example.org", "password": PASSWORD}),
    ("/accounts/signup/", {"email": "asha@example.org", "password1": PASSWORD, "password2": PASSWORD}),
    ("/accounts/confirm-email/", {"code": "ABC-123"}),
    ("/vault/", {"password": "not the password"}),
    ("/phrase/", {"password": "not the password"}),
]


@pytest.fixture(scope="module")
def story(portal: StoryPortal) -> MarkedStory:
    told = MarkedStory(portal)
    told.tell()
    return told


def everything(story: MarkedStory) -> Iterator[tuple[str, bytes]]:
    """All a thief could carry away: files, rows, sessions, queues, and the chain's blocks and log.

    And more: the sessions of the patient and the doctor, opened with the cookies of their browsers.
    """
    portal = story.portal
    cookies = session_cookies(story.visitor, story.hospital.doctor)
    rpc = Rpc(int(portal.settings["LOCALCHAIN_PORT"]))
    log = rpc.call("eth_getLogs", {"fromBlock": "0x0", "toBlock": "latest"})
    head = int(rpc.call("eth_blockNumber"), 16)
    blocks = [rpc.call("eth_getBlockByNumber", hex(number), True) for number in range(head + 1)]
    assert len(log) > 10
    yield from [("the chain's log", json.dumps(log).encode()), ("its blocks", json.dumps(blocks).encode())]
    rows, queues = rows_of(database_of(portal.var)), redis_of(portal.var)
    yield from joined(files_of(portal.var), rows, opened_sessions(portal.var, cookies), queues)


def test_no_marked_word_is_stored_anywhere(story: MarkedStory) -> None:
    portal, words = story.portal, dict(story.marked.words)
    assert len(words) > 30
    words["recovery phrase"] = story.visitor.phrase.encode()
    words["four words of it"] = " ".join(story.visitor.phrase.split()[:4]).encode()
    assert find_words(words, everything(story)) == []
    # The same search, for what is known to be there: each kind of place is really looked at.
    address = story.patient.address.removeprefix("0x").encode()
    places = find_words({"address": address, "e-mail": story.visitor.email.encode()}, everything(story))
    looked_at = ["address in the chain's log", "address in its blocks", "address in chain/journal.jsonl"]
    looked_at += ["e-mail in accounts_user, row"]
    folders = ["store", "mail"]
    if own_share(portal.var):
        assert any(name == "queue celery" for name, _ in redis_of(portal.var))
    else:
        looked_at += ["e-mail in medrec.sqlite3"]
        folders += ["queue/messages"]
    for place in looked_at:
        assert any(found.startswith(place) for found in places), (place, places)
    for folder in folders:
        assert any(file.is_file() for file in (portal.var / folder).rglob("*")), folder


def test_no_stored_session_holds_a_vault_cookies_key_whatever_page_was_posted_to(story: MarkedStory) -> None:
    patient: PlainVisitor = story.visitor
    doctor = story.hospital.doctor
    secrets = vault_keys(patient, doctor) | {"password": PASSWORD.encode()}
    suspended = 0
    for path, fields in POSTS:
        patient.post_blind(path, **fields)
        cookies = session_cookies(patient, doctor)
        suspended += any(SUSPENDED in session for session in sessions_of(story.portal.var, cookies))
        secrets |= vault_keys(patient, doctor)
        assert find_words(secrets, opened_sessions(story.portal.var, cookies)) == [], path
    assert suspended, "no page suspended a POST: this test would not see the leak it is for"
    assert find_words(secrets, everything(story)) == []
    # A session's cookie stands nowhere either: a copy of everything signs in as nobody.
    rows = joined(files_of(story.portal.var), rows_of(database_of(story.portal.var)))
    cookies = session_cookies(patient, doctor)
    assert len(cookies) == 2
    assert find_words({f"session of {number}": c.encode() for number, c in enumerate(cookies)}, rows) == []
