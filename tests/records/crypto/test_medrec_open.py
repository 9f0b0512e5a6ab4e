"""medrec-open's tables, which are written out, against what they were written from."""

import base64
import lzma

import pytest
from mnemonic import Mnemonic

from accounts.crypto.phrase import new_entropy, phrase_of
from chain.abi import event_types
from records.crypto import medrec_open
from records.crypto.medrec_open import EVENTS, WORDS, Refused, entropy_of


def test_its_words_are_the_list_s_first_four_letters() -> None:
    words = [word[:4] for word in Mnemonic("english").wordlist]
    assert lzma.decompress(base64.b85decode(WORDS)).decode().split() == words


def test_a_phrase_gives_its_entropy_and_a_wrong_one_none() -> None:
    entropy = new_entropy()
    words = phrase_of(entropy).split()
    assert entropy_of("  ".join(words).upper()) == entropy
    for wrong in (words[:23], [*words[:23], "zzzz"], [*words, words[0]]):
        with pytest.raises(Refused, match="24 words"):
            entropy_of(" ".join(wrong))


def test_its_events_are_the_contract_s() -> None:
    found = {kind.topic.hex()[:8]: kind for kind in event_types().values()}
    directory = {"InstitutionAdmitted", "InstitutionLeft", "DoctorAffiliated", "LogAnchored"}
    assert {found[topic].name for topic in EVENTS} == {kind.name for kind in found.values()} - directory
    for topic, words in EVENTS.items():
        kind = found[topic]
        assert words.split() == [kind.name, *(name for name, _ in kind.indexed + kind.data)]
    published = next(kind for kind in found.values() if kind.name == "KeyPublished")
    assert "0x" + published.topic.hex() == medrec_open.KEY_PUBLISHED


def test_it_reads_each_argument_as_what_it_is() -> None:
    for kind in event_types().values():
        for name, solidity in kind.indexed + kind.data:
            if kind.topic.hex()[:8] in EVENTS:
                assert (name in medrec_open.ADDRESSES) == (solidity == "address"), name
                assert name not in medrec_open.NUMBERS or solidity.startswith("uint"), name
                assert (name in ("key", "secret")) == (solidity == "bytes"), name
