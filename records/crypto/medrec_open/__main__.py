"""medrec-open: what a recovery phrase opens, without MedRec.

Lists records, grants, requests and history of the account behind a phrase, a patient's, a doctor's or an
institution's. Decrypts into a folder what is not there yet. Python 3.11 and `cryptography` 50 are enough.
Source: docs/FORMAT.md.
"""

import argparse
import getpass
import io
import json
import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from .account import Account
from .chain import Node
from .errors import Refused
from .store import Store

ACCOUNTS = {0: "the patient's or the institution's", 1: "the practitioner's"}
_UNSAFE = re.compile(r"[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
Row = dict[str, Any]


def main() -> int:
    """Exit code 0; 1 when something could not be opened, 2 when nothing could."""
    options = argparse.ArgumentParser(prog="medrec-open", description=__doc__)
    options.add_argument("--rpc", required=True, help="an Ethereum node")
    options.add_argument("--contract", required=True, help="the contract's address")
    options.add_argument("--store", required=True, help="the store's folder, an IPFS node or a gateway")
    options.add_argument("--out", type=Path, help="decrypt into this folder; without it, only list")
    options.add_argument(
        "--account",
        type=int,
        choices=ACCOUNTS,
        help="0: the patient's, 1: the practitioner's; else the first there is",
    )
    options.add_argument(
        "--phrase-file",
        type=Path,
        action="append",
        help="a file with the 24 words; else they are asked for. Once more for a phrase that was replaced",
    )
    choice = options.parse_args()
    cast(io.TextIOWrapper, sys.stdout).reconfigure(errors="replace")  # a title in another alphabet
    try:
        account = find_account(choice)
    except Exception as problem:
        options.exit(2, f"medrec-open: {problem}\n")
    return show(account, choice.out)


def find_account(choice: argparse.Namespace) -> Account:
    """The account that is asked for, or the first that the contract knows. Raises Refused."""
    files = choice.phrase_file or []
    phrases = [file.read_text() for file in files] or [getpass.getpass("Recovery phrase: ")]
    node, store = Node(choice.rpc), Store(choice.store)
    problem = Refused("no account of this contract has this phrase")
    for index in ACCOUNTS if choice.account is None else (choice.account,):
        try:
            return Account(phrases, index, node, choice.contract, store)
        except Refused as refused:
            problem = refused
            if "no account" not in str(refused):
                break
    raise problem


def show(account: Account, out: Path | None) -> int:
    """Everything, printed as it is opened. The exit code."""
    say(f"Account 0x{account.address.hex()}", *account.notes)
    index: Row = {"address": account.address}
    say("\nRecords")
    index["records"] = show_records((b"", row) for row in account.records(out))
    say("\nRecords that others have shared with this account")
    index["received_records"] = show_records(account.received_records(out))
    index["received"] = show_grants("\nShared with this account, until when", account.received, "patient")
    index["grants"] = show_grants("\nWho has access, to which scope, until when", account.grants, "grantee")
    index["requests"] = show_requests(account.requests())
    say("\nWritten for others")
    index["written"] = account.written()
    for event in index["written"]:
        say(f"  {event['at']:%Y-%m-%d} record 0x{event['record'].hex()} of 0x{event['patient'].hex()}")
    say("\nHistory")
    index["history"] = account.events
    for event in account.events:
        say(f"  {event['at']:%Y-%m-%d %H:%M} {event['event']} by 0x{event['author'].hex()}")
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "medrec.json").write_text(json.dumps(index, indent=1, default=_plain))
    opened = [*index["records"], *index["received_records"], *account.received, *index["requests"]]
    return int(any("problem" in row for row in opened))


def show_records(rows: Iterable[tuple[bytes, Row]]) -> list[Row]:
    """A line for each version."""
    shown = []
    for patient, row in rows:
        if patient:
            row = row | {"patient": patient}
        shown.append(row)
        owner = f"of 0x{patient.hex()}, " if patient else ""
        closed = f" ({row['closed']})" if "closed" in row else ""
        title = f"folder {row['folder']}, {row['title']}, version {row['version']}{closed}"
        say(f"  {row['at']:%Y-%m-%d} {owner}{title} {row.get('problem', '')}")
    return shown


def show_grants(heading: str, grants: list[Row], who: str) -> list[Row]:
    """A line for each grant that stands."""
    say(heading)
    for grant in grants:
        ends = datetime.fromtimestamp(min(grant["expiry"], 1 << 37), UTC)
        purpose = f", {grant['terms']['purpose']}" if "terms" in grant else ""
        words = f"{ends} ({grant['state']}{purpose}) {grant.get('problem', '')}"
        say(f"  0x{grant[who].hex()} {grant['scope'].hex()} {words}")
    return grants


def show_requests(requests: list[Row]) -> list[Row]:
    """A line for each request, and what was said with it."""
    say("\nRequests")
    for row in requests:
        terms = row.get("terms", {})
        said = " ".join(
            str(part) for part in (terms.get("purpose", ""), terms.get("note", ""), row.get("reason", ""))
        )
        people = f"by 0x{row['author'].hex()} to 0x{row['patient'].hex()}"
        say(f"  {row['at']:%Y-%m-%d} {people} ({row['state']}) {said} {row.get('problem', '')}")
    return requests


def say(*lines: str) -> None:
    """Print lines without what would move the cursor or turn the text around."""
    for line in lines:
        start = "\n" if line.startswith("\n") else ""
        print(start + _UNSAFE.sub("?", line.lstrip("\n")).rstrip())


def _plain(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


if __name__ == "__main__":
    sys.exit(main())
