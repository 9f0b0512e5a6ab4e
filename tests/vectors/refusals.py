"""Bytes that every reader refuses, by the check of docs/FORMAT.md that refuses them, and bytes that all take.

A case's bytes are written as parts, each hex and how often it stands there: `[["5b", 60000]]`.
"""

import json
import re
from collections.abc import Iterator
from datetime import date
from hashlib import sha256
from typing import Any
from unittest.mock import patch

from accounts.crypto import keys
from accounts.crypto.derivation import derive, labelled, u32
from accounts.crypto.vault import SealedVault, seal_under
from records.crypto import description, envelopes, ids, mdr1, payloads, wrap

Case = dict[str, Any]
Parts = list[tuple[bytes, int]]
_RUN = re.compile(rb"(.)\1{63,}", re.DOTALL)


def fixed(name: str, length: int = 32) -> bytes:
    """Bytes that look random and follow from a name, as in `make`."""
    return b"".join(sha256(f"{name}/{n}".encode()).digest() for n in range(-(-length // 32)))[:length]


DESCRIBED = description.Description(
    title="Blood",
    kind="11502-2",
    service_date=date(2026, 2, 28),
    file_name="blood.txt",
    media_type="text/plain",
    size=16,
    sha256=sha256(b"haemoglobin 11.1").digest(),
    content_key=fixed("content key"),
    content_salt=fixed("salt"),
    content_length=mdr1.ciphertext_size(16),
    previous_data_key=None,
)
TERMS = payloads.Terms("TREAT", ("11502-2",), 1, 30, None, date(2026, 12, 31), "please")
PATIENT, OTHER = (keys.address_of(keys.signing_key(fixed(name), 0)) for name in ("patient", "other"))


def refused_vectors(vectors: dict[str, Any]) -> dict[str, Any]:
    """Cases by format. `vectors`: those of envelopes, one of which is spoilt here."""
    return {
        "description": _description(),
        "terms": _terms(),
        "reason": _reason(),
        "folder payload": _folder_payload(),
        "record payload": _record_payload(),
        "selection payload": _selection_payload(),
        "inbox payload": {
            "taken": [_case(15, "a data key", fixed("data key"))],
            "refused": _keys(fixed("data key")),
        },
        "list": _list(),
        "envelope": _envelope(vectors),
        "wrapped secret": _wrapped(),
        "folder name": _name(),
        "file": _file(),
        "content": _content(),
        "vault": _vault(),
        "key": _published_key(),
    }


def _case(check: int, why: str, data: bytes | Parts, **more: Any) -> Case:
    parts = list(_parts_of(data)) if isinstance(data, bytes) else data
    return {"check": check, "why": why, "bytes": [[part.hex(), times] for part, times in parts], **more}


def _parts_of(data: bytes) -> Iterator[tuple[bytes, int]]:
    """The bytes, one that stands 64 times or more in a row written once."""
    at = 0
    for run in _RUN.finditer(data):
        if run.start() > at:
            yield data[at : run.start()], 1
        yield run[1], len(run[0])
        at = run.end()
    if at < len(data):
        yield data[at:], 1


def _object(values: dict[str, Any]) -> bytes:
    return json.dumps(values, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _json_cases(values: dict[str, Any], text: str, number: str) -> list[Case]:
    """Return JSON that no object may be. `text` and `number`: names of fields of these kinds."""
    whole = _object(values)
    head = whole[:-1] + b',"later":'
    surrogates = whole.replace(json.dumps(values[text]).encode(), b'"\\ud800"')
    written = f'"{number}":{values[number]}'.encode()
    rows: list[tuple[int, str, bytes | Parts]] = [
        (1, "nothing", b""),
        (1, "more than 65,536 bytes", [(whole, 1), (b" ", 65_537 - len(whole))]),
        (1, "a byte order mark", b"\xef\xbb\xbf" + whole),
        (1, "no UTF-8", whole.replace(values[text].encode(), b"\xff")),
        (1, "half of a character in UTF-8", whole.replace(values[text].encode(), b"\xed\xa0\x80")),
        (1, "UTF-16", whole.decode().encode("utf-16")),
        (2, "60,000 lists inside each other", [(b"[", 60_000)]),
        (2, "9,000 objects inside each other", [(b'{"a":', 9_000)]),
        (2, "17 levels in a name that nobody knows", head + b"[" * 16 + b"]" * 16 + b"}"),
        (3, "a list", b"[" + whole + b"]"),
        (3, "no object", b"5"),
        (3, "cut", whole[:-1]),
        (3, "something after it", whole + b"{}"),
        (3, "a name twice", head[:-8] + b'"' + text.encode() + b'":"x"}'),
        (3, "a name twice, in a name that nobody knows", head + b'{"a":1,"a":2}}'),
        (3, "a comma too many", whole[:-1] + b",}"),
        (3, "a control character in text", whole.replace(values[text].encode(), b"\n")),
        (4, "a fraction", whole.replace(written, written + b".0")),
        (4, "an exponent", whole.replace(written, written + b"e0")),
        (4, "below zero", whole.replace(written, f'"{number}":-1'.encode())),
        (4, "zero below zero", head + b"-0}"),
        (4, "2^63", head + b"9223372036854775808}"),
        (4, "5,000 digits", [(head, 1), (b"9", 5_000), (b"}", 1)]),
        (4, "no number", head + b"NaN}"),
        (4, "infinity", head + b"Infinity}"),
        (5, "half of a character", surrogates),
        (5, "half of a character in a name", whole[:-1] + b',"\\udfff":1}'),
        (7, "true for a number", whole.replace(written, f'"{number}":true'.encode())),
        (7, "text for a number", whole.replace(written, f'"{number}":"1"'.encode())),
        (7, "a number for text", whole.replace(json.dumps(values[text]).encode(), b"7")),
        (8, "U+0000 in text", whole.replace(values[text].encode(), b"\\u0000")),
    ]
    rows += [(6, f"{name} is missing", _object(_without(values, name))) for name in values]
    return [_case(check, why, data) for check, why, data in rows]


def _changes(values: dict[str, Any], changes: list[tuple[int, str, Any]]) -> list[Case]:
    """One field of another value each."""
    return [
        _case(check, f"{name}: {str(value)[:30]}", _object(values | {name: value}))
        for check, name, value in changes
    ]


def _without(values: dict[str, Any], name: str) -> dict[str, Any]:
    return {other: value for other, value in values.items() if other != name}


def _taken(values: dict[str, Any]) -> list[Case]:
    whole = _object(values)
    spaced = json.dumps(dict(reversed(values.items())), indent=2, ensure_ascii=True).encode() + b"\n\t"
    deep = whole[:-1] + b',"later":' + b"[" * 15 + b"]" * 15 + b"}"
    brackets = whole[:-1] + b',"later":"' + b"[" * 40 + b'\\"' + b"{" * 40 + b'"}'
    rows = [
        ("as it is written", whole),
        ("in another order, with white space", spaced),
        ("16 levels in a name that nobody knows", deep),
        ("brackets in text are no levels", brackets),
        ("the largest number", whole[:-1] + b',"later":9223372036854775807}'),
        ("a character in two halves", whole[:-1] + b',"later":"\\ud83d\\ude00"}'),
        ("65,536 bytes", whole.ljust(65_536)),
    ]
    return [_case(0, why, data) for why, data in rows]


def _description() -> dict[str, list[Case]]:
    values = json.loads(DESCRIBED.to_bytes())
    key = fixed("content key").hex()
    days = [
        "2026-W01-1",
        "20260228",
        "2026-02-30",
        "2026-2-28",
        "2026-02-28T00:00",
        "0000-01-01",
        "٢٠٢٦-02-28",
        "",
    ]
    hexes = ["", key.upper(), " ".join((key[:32], key[32:])), key[:-2], key + "00", "0x" + key[2:], "g" * 64]
    changes: list[tuple[int, str, Any]] = [(11, "format", value) for value in (2, 0, True, "1", None)]
    changes += [(10, "service_date", value) for value in (*days, 20260228)]
    changes += [
        (9, name, value) for name in ("content_key", "content_salt", "sha256") for value in (*hexes, None)
    ]
    changes += [(9, "previous_data_key", value) for value in hexes]
    changes += [(8, name, "x" * (most + 1)) for name, most in description.TEXTS_MAX.items()]
    changes += [(11, "size", 17), (11, "content_length", DESCRIBED.content_length + 1)]
    changes += [
        (7, name, None) for name in ("title", "kind", "file_name", "media_type", "size", "content_length")
    ]
    too_large = {"size": 2**48 + 1, "content_length": mdr1.ciphertext_size(2**48 + 1)}
    refused = _json_cases(values, "title", "size") + _changes(values, changes)
    refused.append(_case(11, "more than 2^32 chunks", _object(values | too_large)))
    full = {name: "x" * (most - 1) + "\u00e9" for name, most in description.TEXTS_MAX.items()}
    taken = [*_taken(values), _case(0, "texts of the most characters", _object(values | full))]
    taken.append(_case(0, "a leap day", _object(values | {"service_date": "2024-02-29"})))
    return {"taken": taken, "refused": refused}


def _terms() -> dict[str, list[Case]]:
    values = json.loads(TERMS.to_bytes())
    changes: list[tuple[int, str, Any]] = [(12, "permissions", value) for value in (0, 2, 4, 255, True, None)]
    changes += [(12, "days", value) for value in (36_526, True, "9")]
    kinds: list[Any] = [["x"] * 257, "x", [1], [None], {}, None, ["x" * 65], ["\u0000"]]
    changes += [(12, "kinds", value) for value in kinds]
    changes += [(10, name, value) for name in ("first_date", "last_date") for value in ("2026-W01-1", 5, "")]
    changes += [(8, "purpose", "x" * 65), (8, "note", "x" * 10_001), (7, "note", None), (7, "purpose", 5)]
    taken = [_case(0, "kinds in any order", _object(values | {"kinds": ["b", "a"], "days": None}))]
    taken.append(
        _case(0, "no day and a hundred years", _object(values | {"days": 36_525, "last_date": None}))
    )
    return {
        "taken": _taken(values) + taken,
        "refused": _json_cases(values, "note", "days") + _changes(values, changes),
    }


def _reason() -> dict[str, list[Case]]:
    values = {"text": "No."}
    changes: list[tuple[int, str, Any]] = [(8, "text", "x" * 10_001), (7, "text", None), (7, "text", ["x"])]
    cases: list[tuple[int, str, bytes | Parts]] = [
        (1, "nothing", b""),
        (2, "nested", [(b"[", 60_000)]),
        (3, "a list", b'["No."]'),
        (6, "empty", b"{}"),
    ]
    refused = [_case(check, why, data) for check, why, data in cases]
    refused.append(_case(5, "half of a character", b'{"text":"\\ud800"}'))
    return {"taken": _taken(values), "refused": refused + _changes(values, changes)}


def _keys(key: bytes) -> list[Case]:
    """Return payloads that are no data key."""
    return [_case(15, f"{n} bytes", (key + key)[:n]) for n in (0, 31, 33, 64)]


def _folder_payload() -> dict[str, list[Case]]:
    terms, one, two = TERMS.to_bytes(), u32(3) + fixed("a"), u32(1 << 16 | 5) + fixed("b")
    rows: list[tuple[int, str, bytes]] = [
        (13, "nothing", b""),
        (13, "no secret", b"\0\0" + terms),
        (13, "fewer than counted", b"\0\2" + one),
        (13, "falling", b"\0\2" + two + one + terms),
        (13, "an epoch twice", b"\0\2" + one + one + terms),
        (13, "two of one generation", b"\0\2" + one + u32(4) + fixed("b") + terms),
        (13, "a count that lies", b"\xff\xff" + one + two + terms),
        (6, "no terms", b"\0\1" + one),
        (3, "terms that are none", b"\0\1" + one + b"[]"),
    ]
    return {
        "taken": [_case(0, "two generations", b"\0\2" + one + two + terms)],
        "refused": [_case(check, why, data) for check, why, data in rows],
    }


def _record_payload() -> dict[str, list[Case]]:
    key, terms = fixed("data key"), TERMS.to_bytes()
    rows = [
        (15, "nothing", b""),
        (15, "a short key", key[:31]),
        (6, "no terms", key),
        (3, "no object", key + b"[]"),
    ]
    return {
        "taken": [_case(0, "a key and terms", key + terms)],
        "refused": [_case(check, why, data) for check, why, data in rows],
    }


def _selection_payload() -> dict[str, list[Case]]:
    terms, nonce = TERMS.to_bytes(), fixed("nonce")
    low, high = sorted((fixed("a"), fixed("b")))
    one, two = low + fixed("key a"), high + fixed("key b")
    scope = ids.selection_id(PATIENT, nonce, [low, high]).hex()
    whole = nonce + u32(2) + one + two + terms
    rows: list[tuple[int, str, bytes]] = [
        (14, "nothing", b""),
        (14, "no record", nonce + u32(0) + terms),
        (14, "falling", nonce + u32(2) + two + one + terms),
        (14, "a record twice", nonce + u32(2) + one + one + terms),
        (14, "fewer than counted", nonce + u32(3) + one + two),
        (14, "a count that lies", nonce + u32(0xFFFFFFFF) + one + two + terms),
        (14, "another scope", fixed("other") + whole[32:]),
        (14, "a record less than the scope", nonce + u32(1) + one + terms),
        (6, "no terms", nonce + u32(2) + one + two),
    ]
    more = {"patient": PATIENT, "scope": scope}
    return {
        "taken": [_case(0, "two records", whole, **more)],
        "refused": [_case(check, why, data, **more) for check, why, data in rows],
    }


def _list() -> dict[str, list[Case]]:
    listed = envelopes.EnvelopeList.of(
        envelopes.EnvelopeEntry(account, "0x" + fixed("key").hex(), fixed(account))
        for account in (PATIENT, OTHER)
    ).to_bytes()
    head, one, two = listed[:5], listed[9:93], listed[93:]
    again = one[:52] + fixed("another envelope")
    rows: list[tuple[int, str, bytes | Parts]] = [
        (16, "nothing", b""),
        (16, "only magic", head),
        (16, "no entry", head + u32(0)),
        (16, "another magic", b"X" + listed[1:]),
        (16, "another version", b"MDRL\2" + listed[5:]),
        (16, "falling", head + u32(2) + two + one),
        (16, "a recipient's key twice", head + u32(2) + one + again),
        (16, "fewer than counted", head + u32(3) + one + two),
        (16, "more than counted", head + u32(1) + one + two),
        (16, "a byte more", listed + b"\0"),
        (16, "more than 1 MiB", [(head + u32(12_483), 1), (bytes(84), 12_483)]),
    ]
    second_key = one[:20] + max(fixed("x"), fixed("key")) + one[52:]
    two_keys = head + u32(2) + b"".join(sorted((one[:20] + bytes(32) + one[52:], second_key)))
    return {
        "taken": [_case(0, "two recipients", listed), _case(0, "one recipient under two keys", two_keys)],
        "refused": [_case(check, why, data) for check, why, data in rows],
    }


def _envelope(vectors: dict[str, Any]) -> dict[str, list[Case]]:
    row = next(row for row in vectors["envelopes"] if row["purpose"] == "inbox")
    sealed, info = bytes.fromhex(row["sealed"]), row["info"]
    seed = vectors["recipient_seed"]
    swapped = bytearray(sealed)
    swapped[-1] ^= 1
    rows: list[tuple[int, str, bytes]] = [
        (18, "nothing", b""),
        (18, "suite 9", b"\x09" + sealed[1:]),
        (18, "suite 0", b"\0" + sealed[1:]),
        (18, "only a suite", sealed[:1]),
        (18, "no tag", sealed[:1121]),
        (18, "cut", sealed[:-1]),
        (18, "a byte more", sealed + b"\0"),
        (18, "a bit changed", bytes(swapped)),
        (18, "an X25519 key of zeros", sealed[:1089] + bytes(32) + sealed[1121:]),
        (18, "an X25519 key of order 8", sealed[:1089] + ORDER_8 + sealed[1121:]),
    ]
    cases = [_case(check, why, data, seed=seed, info=info) for check, why, data in rows]
    other = bytes.fromhex(info)[:-4] + u32(7)
    cases.append(_case(18, "another context", sealed, seed=seed, info=other.hex()))
    return {"taken": [_case(0, "in its place", sealed, seed=seed, info=info)], "refused": cases}


ORDER_8 = bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800")
"""A point of order 8 on Curve25519 (RFC 7748's implementations list it)."""


def _wrapped() -> dict[str, list[Case]]:
    key, record = fixed("folder key"), fixed("record")
    wrapped = wrap.wrap(key, record, fixed("data key"))
    more = {"folder_key": key.hex(), "record_id": record.hex()}
    rows = [
        ("nothing", b""),
        ("39 bytes", wrapped[:-1]),
        ("48 bytes", wrapped + bytes(8)),
        ("zeros", bytes(40)),
    ]
    rows += [("of another record", wrap.wrap(key, fixed("other"), fixed("data key")))]
    return {
        "taken": [_case(0, "in its place", wrapped, **more)],
        "refused": [_case(20, why, data, **more) for why, data in rows],
    }


def _name() -> dict[str, list[Case]]:
    key, epoch = fixed("folder key"), 7

    def seal(plain: bytes) -> bytes:
        with patch("secrets.token_bytes", lambda length: fixed("name", length)):
            return u32(epoch) + seal_under(derive(key, labelled("folder-name")), plain, u32(epoch))

    whole = seal(b"Blood".ljust(256, b"\0"))
    rows = [
        ("nothing", b""),
        ("287 bytes", whole[:-1]),
        ("a byte more", whole + b"\0"),
        ("an empty name", seal(bytes(256))),
        ("a zero byte in it", seal(b"a\0b".ljust(256, b"\0"))),
        ("256 bytes", seal(b"x" * 256)),
        ("not padded", seal(b"Blood")),
        ("no UTF-8", seal(b"\xff".ljust(256, b"\0"))),
        ("half of a character", seal(b"\xed\xa0\x80".ljust(256, b"\0"))),
        ("another epoch", u32(8) + whole[4:]),
    ]
    most = seal(b"x" * 255 + b"\0")
    return {
        "taken": [
            _case(0, "a name", whole, folder_key=key.hex()),
            _case(0, "255 bytes", most, folder_key=key.hex()),
        ],
        "refused": [_case(21, why, data, folder_key=key.hex()) for why, data in rows],
    }


def _encrypted(data: bytes, salt: str = "salt", role: mdr1.Role = mdr1.Role.CONTENT) -> bytes:
    encryptor = mdr1.Encryptor(fixed("content key"), role, fixed("record"), fixed(salt))
    return b"".join(encryptor.encrypt((data,)))


def _file() -> dict[str, list[Case]]:
    more = {"key": fixed("content key").hex(), "role": 1, "record_id": fixed("record").hex()}
    short, empty = _encrypted(b"haemoglobin 11.1"), _encrypted(b"")
    cipher, _ = mdr1.file_keys(fixed("content key"), fixed("salt"), mdr1.Role.CONTENT, fixed("record"))
    unfinished = short[:70] + cipher.encrypt(mdr1.chunk_nonce(0, last=False), b"haemoglobin 11.1", None)
    small_chunks = short[:70] + cipher.encrypt(mdr1.chunk_nonce(0, last=False), b"haem", None)
    small_chunks += cipher.encrypt(mdr1.chunk_nonce(1, last=True), b"oglobin 11.1", None)
    rows: list[tuple[str, bytes]] = [
        ("nothing", b""),
        ("only a header", short[:70]),
        ("half a tag", short[:78]),
        ("another magic", b"X" + short[1:]),
        ("version 2", short[:4] + b"\2" + short[5:]),
        ("suite 2", short[:5] + b"\2" + short[6:]),
        ("another salt", short[:6] + bytes(32) + short[38:]),
        ("another commitment", short[:38] + bytes(32) + short[70:]),
        ("of another role", _encrypted(b"haemoglobin 11.1", role=mdr1.Role.DESCRIPTION)),
        ("cut", short[:-1]),
        ("a byte more", short + b"\0"),
        ("a chunk that is not the last", unfinished),
        ("two chunks of less than 64 KiB", small_chunks),
    ]
    parts = short[:70] + cipher.encrypt(mdr1.chunk_nonce(0, last=False), bytes(65_536), None)
    empty_last = parts + cipher.encrypt(mdr1.chunk_nonce(1, last=True), b"", None)
    cases = [_case(22, why, data, **more) for why, data in rows]
    cases.append(_case(22, "an empty chunk after a whole one", empty_last, **more))
    taken = [_case(0, "16 bytes", short, **more), _case(0, "no byte", empty, **more)]
    return {"taken": taken, "refused": cases}


def _content() -> dict[str, list[Case]]:
    """A file and the description that a case has for it."""
    plain, values = b"haemoglobin 11.1", json.loads(DESCRIBED.to_bytes())
    file, longer = _encrypted(plain), _encrypted(plain + b"x")
    both_lie = {"size": 17, "content_length": mdr1.ciphertext_size(17)}
    rows: list[tuple[str, bytes, dict[str, Any]]] = [
        ("another SHA-256", file, {"sha256": fixed("x").hex()}),
        ("size and length that lie together", file, both_lie),
        ("a longer content of the same key", longer, {}),
        ("another salt", _encrypted(plain, "other salt"), {}),
        ("another key", file, {"content_key": fixed("x").hex()}),
    ]

    def case(check: int, why: str, data: bytes, change: dict[str, Any]) -> Case:
        described = _object(values | change).decode()
        return _case(check, why, data, record_id=fixed("record").hex(), description=described)

    return {
        "taken": [case(0, "as described", file, {})],
        "refused": [case(23, why, data, change) for why, data, change in rows],
    }


def _vault() -> dict[str, list[Case]]:
    values = SealedVault(65536, 3, 1, fixed("s", 16), fixed("n", 12), fixed("c", 48)).to_dict()
    changes: list[tuple[int, str, Any]] = [(24, "format", value) for value in (2, True, "1")]
    changes += [(24, "kdf", value) for value in ("argon2i", None)]
    changes += [(24, "memory_kib", value) for value in (65_535, 1_048_577, True, "65536", 65536.5)]
    changes += [(24, "passes", 2), (24, "passes", 17), (24, "lanes", 0), (24, "lanes", 17)]
    salt = fixed("s", 16).hex()
    changes += [(24, "salt", value) for value in ("", salt.upper(), salt[:8] + " " + salt[9:], salt + "00")]
    changes += [(24, "nonce", "00" * 11), (24, "ciphertext", "00" * 47), (24, "ciphertext", None)]
    missing = [_case(24, f"{name} is missing", _object(_without(values, name))) for name in values]
    return {
        "taken": [_case(0, "as it is written", _object(values))],
        "refused": _changes(values, changes) + missing,
    }


def bytes_of(case: Case) -> bytes:
    """A case's bytes."""
    return b"".join(bytes.fromhex(part) * times for part, times in case["bytes"])


P = 2**255 - 19
"""Of Curve25519's field."""
_LOW_ORDER = {
    "zero": 0,
    "one": 1,
    "of order 8": int.from_bytes(ORDER_8, "little"),
    "of order 8, the other": 39382357235489614581723060781553021112529911719440698176882885853963445705823,
    "minus one": P - 1,
    "zero, not reduced": P,
    "one, not reduced": P + 1,
    "zero, with the bit that is passed over": 1 << 255,
}


def _published_key() -> dict[str, list[Case]]:
    """Return published keys to which a writer seals nothing."""
    public = keys.SharingKey(fixed("seed")).public
    lattice, curve = public[1:1185], public[1185:]
    too_large = (3329).to_bytes(2, "little")
    rows = [
        ("nothing", b""),
        ("a byte less", public[:-1]),
        ("a byte more", public + b"\0"),
        ("suite 0", b"\0" + public[1:]),
        ("suite 2", b"\2" + public[1:]),
        ("0xFF in the ML-KEM part", b"\1" + b"\xff" * 1184 + curve),
        ("a first coefficient of 3,329", b"\1" + too_large + lattice[2:] + curve),
        ("a last coefficient of 4,095", b"\1" + lattice[:1150] + b"\xff\xff" + lattice[1152:] + curve),
    ]
    rows += [
        (f"an X25519 part that is {name}", public[:1185] + point.to_bytes(32, "little"))
        for name, point in _LOW_ORDER.items()
    ]
    return {
        "taken": [_case(0, "a key", public)],
        "refused": [_case(19, why, data) for why, data in rows],
    }
