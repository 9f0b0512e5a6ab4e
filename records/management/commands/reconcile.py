"""manage.py reconcile: is everything still there, and does it agree?"""

import json
import sys
import time
from typing import Any, TextIO

from django.core.management.base import BaseCommand, CommandError, CommandParser

from chain.errors import ChainError
from chain.node.deployment import first_block
from chain.reconcile.run import Finding, Result, RunOptions, acknowledge, applied_block, reconcile
from records.services.reconciling import checks
from records.storage.errors import StorageError

EVERY = 0.2
"""Seconds between two updates of a terminal's line."""
PATIENCE = 3.0
"""Seconds in which relayer and indexer, where they run, have mended what they mend by themselves."""


class Command(BaseCommand):
    """Reads only, without --repair. Exit code: 0, 1 if differences are left, 2 if it could not compare."""

    help = "Compare chain, tables, store and envelopes, and list every difference."

    def add_arguments(self, parser: CommandParser) -> None:
        """What to look at, and how."""
        parser.add_argument(
            "only", nargs="*", metavar="CHECK", help="ids of checks or their beginnings (R1, C201); else all"
        )
        parser.add_argument(
            "--repair", action="store_true", help="mend what can safely be mended, and say so"
        )
        parser.add_argument(
            "--acknowledge",
            action="store_true",
            help="note what is wrong with records that another portal or wallet made, and tell it no more",
        )
        parser.add_argument("--deep", action="store_true", help="read and hash every stored byte")
        parser.add_argument("--json", action="store_true", help="one JSON document instead of lines")
        parser.add_argument(
            "--from-block", type=int, help="compare the archive from here on (else from the contract's block)"
        )
        parser.add_argument(
            "--patience",
            type=float,
            default=PATIENCE,
            help=f"seconds until a difference is looked at again (else {PATIENCE})",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the checks and print what they found."""
        del args
        progress = _Progress(sys.stderr)
        results: list[Result] = []
        try:
            wanted = checks(options["only"])
        except ValueError as problem:
            raise CommandError(str(problem), returncode=2) from problem
        try:
            block, first = applied_block(), options["from_block"]
            run_options = RunOptions(
                first_block() if first is None else first,
                options["deep"],
                options["patience"],
                progress.tick,
            )
            for check in wanted:
                progress.begin(f"{check.id} {check.title}")
                results += reconcile([check], run_options, repair=options["repair"])
                if options["acknowledge"]:
                    acknowledge(results[-1])
                progress.end()
        except (ChainError, StorageError) as problem:
            self._print_findings(results)  # above all what was repaired
            raise CommandError(f"This cannot be compared now: {problem}", returncode=2) from problem
        if options["json"]:
            self.stdout.write(json.dumps(_document(block, results), indent=2))
        else:
            self._print_findings(results)
            self._print_counts(results)
        if any(result.left for result in results):
            sys.exit(1)

    def _print_findings(self, results: list[Result]) -> None:
        for result in results:
            for finding in result.findings:
                self.stdout.write(f"{result.check.id} {finding.subject}: {_words(finding, result)}")

    def _print_counts(self, results: list[Result]) -> None:
        found = [result for result in results if result.findings]
        for result in found:
            self.stdout.write(f"{result.check.id}: {_count(result)} ({result.check.title})")
            if result.left and result.check.remedy:
                self.stdout.write(f"      {result.check.remedy}")
        if any(
            finding.foreign and result.is_left(finding) for result in found for finding in result.findings
        ):
            self.stdout.write(
                "Other portals or wallets made some of these records. Their bytes may never have existed."
                " `manage.py reconcile --acknowledge` notes them, and only new ones count after that."
            )
        if not found:
            self.stdout.write(f"{len(results)} checks: no difference.")


class _Progress:
    """How many things a check has compared: one line that changes on a terminal, else a line a check."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._moving = stream.isatty()
        self._title, self._count, self._shown = "", 0, 0.0

    def begin(self, title: str) -> None:
        """A check begins."""
        self._title, self._count, self._shown = title, 0, 0.0
        self.tick(0)

    def tick(self, count: int) -> None:
        """Some more things were compared."""
        self._count += count
        if self._moving and time.monotonic() - self._shown > EVERY:
            self._shown = time.monotonic()
            self._stream.write(f"\r\x1b[K{self._title}: {self._count:,}")
            self._stream.flush()

    def end(self) -> None:
        """The check is done."""
        if self._moving:
            self._stream.write("\r\x1b[K")
        else:
            self._stream.write(f"{self._title}: {self._count:,} compared\n")
        self._stream.flush()


def _words(finding: Finding, result: Result) -> str:
    if said := result.repaired.get(finding.subject):
        return f"{finding.what}: {said}"
    if problem := result.failed.get(finding.subject):
        return f"{finding.what} (the repair failed: {problem})"
    if finding.note:
        return f"{finding.what} (only a note)"
    if finding.foreign:
        seen = ", acknowledged" if result.is_acknowledged(finding) else ""
        return f"{finding.what} (made elsewhere{seen})"
    return f"{finding.what} (can be repaired)" if finding.repair else finding.what


def _count(result: Result) -> str:
    notes = sum(finding.note for finding in result.findings)
    seen = sum(map(result.is_acknowledged, result.findings))
    found, repaired = len(result.findings) - notes - seen, len(result.repaired)
    return ", ".join(
        f"{count} {word}"
        for count, word in (
            (found, "found"),
            (repaired, "repaired"),
            (notes, "noted"),
            (seen, "acknowledged before"),
        )
        if count or word == "found"
    )


def _document(block: int, results: list[Result]) -> dict[str, Any]:
    return {
        "block": block,
        "left": sum(result.left for result in results),
        "checks": [
            {
                "id": result.check.id,
                "title": result.check.title,
                "remedy": result.check.remedy,
                "left": result.left,
                "findings": [
                    {
                        "subject": finding.subject,
                        "what": finding.what,
                        "note": finding.note,
                        "foreign": finding.foreign,
                        "acknowledged": result.is_acknowledged(finding),
                        "repairable": finding.repair is not None,
                        "repaired": result.repaired.get(finding.subject),
                        "failed": result.failed.get(finding.subject),
                    }
                    for finding in result.findings
                ],
            }
            for result in results
        ],
    }
