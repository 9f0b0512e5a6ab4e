"""FHIR JSON to observations: a Bundle, one Observation by itself, or NDJSON (a resource a line).

Checked by the R4B models of `fhir.resources` (Observation is the same in R4), which take 0.4 s to import:
so only when the first one is read. Numbers are kept as they stand in the text.
"""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NoReturn

from records.observations.fields import NOTE_MAX as NOTE_MAX
from records.observations.fields import TEXT_MAX as TEXT_MAX
from records.observations.fields import BadBundle as BadBundle
from records.observations.fields import tidy as tidy
from records.observations.model import Observation
from records.observations.resources import UNKNOWN_MODIFIER, read_observation
from records.observations.subjects import People, refusal

READ_MAX = 4 * 1024 * 1024  # bytes
ENTRIES_MAX = 5000
NDJSON_TYPE = "application/fhir+ndjson"
FHIR_TYPES = ("application/fhir+json", NDJSON_TYPE)
MEDIA_TYPES = (*FHIR_TYPES, "application/json", "application/x-ndjson", "application/ndjson")
WITHDRAWN = ("entered-in-error", "cancelled")

_Entry = tuple[str, str, Any]  # where it stands, for people; full URL; resource


@dataclass(frozen=True)
class Reading:
    """What a file holds of observations, and what it holds besides.

    `not_shown` counts other resources, `withdrawn` those that their author took back; `problems` say what is
    wrong with entries left out; `about` names the patient as the file does.
    """

    observations: list[Observation] = field(default_factory=list)
    not_shown: int = 0
    problems: list[str] = field(default_factory=list)
    withdrawn: int = 0
    about: str = ""
    born: str = ""  # as the file says of its patient
    lines: bool = False  # NDJSON

    @property
    def measured(self) -> int:
        """Return how many observations the file holds, read or not."""
        return len(self.observations) + len(self.problems)

    @property
    def has_remarks(self) -> bool:
        """Return whether there is something to say besides the table."""
        return bool(self.about or self.problems or self.not_shown or self.withdrawn)


def may_be_read(media_type: str, size: int) -> bool:
    """Return whether a file of this type and size (bytes) may hold observations."""
    return media_type.partition(";")[0].strip() in MEDIA_TYPES and size <= READ_MAX


def read_observations(data: bytes, *, strict: bool = False, now: datetime | None = None) -> Reading:
    """Return the observations of a FHIR file; `now` is what their dates are held against.

    Raises BadBundle where it is none; when `strict`, for a wrong entry and for two patients, too.
    """
    entries, problems = _entries(data)
    people = People()
    for _, url, resource in entries:
        if isinstance(resource, dict):
            people.add_resource(url, resource)
    seen: set[str] = set()
    observations: list[Observation] = []
    not_shown = withdrawn = 0
    for where, url, resource in entries:
        if not isinstance(resource, dict) or resource.get("resourceType") != "Observation":
            not_shown += 1
        elif resource.get("status") in WITHDRAWN:
            withdrawn += 1
        else:
            try:
                observations.append(_read_entry(resource, url, seen, people, now or datetime.now(UTC)))
            except BadBundle as error:
                problems.append(f"{where}{error}")
    if len(people.measured) > 1:
        observations, problems = [], [refusal(people.measured)]
    if strict and problems:
        raise BadBundle(problems[0])
    about = next(iter(people.measured), "")
    lines = entries[:1] and entries[0][0].startswith("Line ")
    return Reading(observations, not_shown, problems, withdrawn, about, people.born, bool(lines))


def _read_entry(
    resource: dict[str, Any], url: str, seen: set[str], people: People, now: datetime
) -> Observation:
    if url and url in seen:
        raise BadBundle("fullUrl: this address stands in the bundle twice.")
    seen.add(url)
    if other := people.add_subject(resource):
        raise BadBundle(f"subject: this is about a {tidy(other, 40)}, not about a patient.")
    return read_observation(resource, now)


def _entries(data: bytes) -> tuple[list[_Entry], list[str]]:
    """The resources of the file, and the lines that are none. Raises BadBundle."""
    if len(data) > READ_MAX:
        raise BadBundle(f"The file is too large: at most {READ_MAX // 1024**2} MiB are read.")
    text = _text(data)
    try:
        return _resources(_load(text)), []
    except json.JSONDecodeError as error:
        lines = _lines(text)
        if lines is None:
            raise BadBundle(_no_json(text)) from error
        return lines


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadBundle("The file is not JSON in UTF-8, as FHIR's files are.") from error


def _load(text: str) -> Any:
    """The JSON value. Raises BadBundle, and JSONDecodeError for what is no JSON."""
    try:
        return json.loads(text, parse_float=Decimal, parse_int=_integer, parse_constant=_refuse)
    except RecursionError as error:
        raise BadBundle("The file is nested too deeply.") from error
    except (json.JSONDecodeError, BadBundle):
        raise
    except (ValueError, ArithmeticError) as error:
        raise BadBundle("The file is not JSON.") from error


def _lines(text: str) -> tuple[list[_Entry], list[str]] | None:
    """The resources of NDJSON and the lines that are not read; None where the first line is no resource."""
    entries: list[_Entry] = []
    problems: list[str] = []
    for place, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        if len(entries) == ENTRIES_MAX:
            raise BadBundle(f"The file has more than {ENTRIES_MAX:,} lines; at most so many are read.")
        try:
            entries.append((f"Line {place}, ", "", _load(line)))
        except (json.JSONDecodeError, BadBundle) as error:
            if not entries:
                return None
            words = "it is not JSON." if isinstance(error, json.JSONDecodeError) else str(error)
            problems.append(f"Line {place}: {words}")
    first = entries[0][2] if entries else None
    return (entries, problems) if isinstance(first, dict) and "resourceType" in first else None


def _no_json(text: str) -> str:
    start = text.lstrip()[:4]
    if start.startswith("<"):
        return "The file is not JSON but XML. Ask its sender for FHIR as JSON."
    if start.startswith("MSH"):
        return "The file is not JSON but an HL7 message. Upload it as a record, or ask its sender for FHIR."
    return "The file is not JSON."


def _refuse(name: str) -> NoReturn:
    raise BadBundle(f"{name} is not a number.")


def _integer(text: str) -> int | Decimal:
    return int(text) if len(text) < 20 and text != "-0" else Decimal(text)


def _resources(value: Any) -> list[_Entry]:
    kind = value.get("resourceType") if isinstance(value, dict) else None
    if kind == "Observation":
        return [("", "", value)]
    if kind != "Bundle":
        raise BadBundle("The file holds neither a FHIR Bundle nor an Observation (resourceType).")
    for name in ("implicitRules", "modifierExtension"):
        if value.get(name):
            raise BadBundle(f"{name}: {UNKNOWN_MODIFIER}.")
    entries = value.get("entry", [])
    if not isinstance(entries, list):
        raise BadBundle("entry: a bundle's entries are a list.")
    if len(entries) > ENTRIES_MAX:
        raise BadBundle(f"The bundle has {len(entries):,} entries; at most {ENTRIES_MAX:,} are read.")
    found: list[_Entry] = []
    for number, entry in enumerate(entries, start=1):
        fields = entry if isinstance(entry, dict) else {}
        url = fields.get("fullUrl")
        found.append((f"Entry {number}, ", url if isinstance(url, str) else "", fields.get("resource")))
    return found
