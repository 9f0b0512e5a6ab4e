"""Whose measurements a file holds: two people never share a line or a chart.

A subject is a reference, an identifier or only a name (FHIR R4, Reference). References and identifiers that a
Patient of the same file bears are the same person.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any

from records.observations.fields import tidy

_TYPED = re.compile(r"(?:^|/)([A-Z][A-Za-z]+)/[^/#?]+$")
_HISTORY = re.compile(r"/_history/[^/]*$")
NAMES_MAX = 3


@dataclass(eq=False)
class _Person:
    """One subject: everything by which the file calls this person."""

    aliases: set[str]
    words: str
    measured: bool = False
    born: str = ""


@dataclass
class People:
    """The subjects of a file, as its observations and its Patient resources name them."""

    kinds: dict[str, str] = field(default_factory=dict)  # address of a resource: its type
    _by_alias: dict[str, _Person] = field(default_factory=dict)

    def add_resource(self, url: str, resource: dict[str, Any]) -> None:
        """Note a resource of the file, which others may refer to."""
        kind, number = str(resource.get("resourceType", "")), resource.get("id")
        addresses = {url} if url else set()
        if isinstance(number, str) and not url.startswith("http"):  # an address says whose number it is
            addresses.add(f"{kind}/{number}")
        self.kinds |= dict.fromkeys(addresses, kind)
        if kind == "Patient":
            aliases = addresses | _identifiers(resource.get("identifier"))
            born = tidy(resource.get("birthDate") or "", 10)
            self._join(_Person(aliases or {_digest(resource)}, _patient_words(resource), born=born))

    def add_subject(self, observation: dict[str, Any]) -> str:
        """Note whom an observation is about. Returns what it is about where that is no patient, else ""."""
        subject = observation.get("subject")
        if not isinstance(subject, dict):
            return ""
        reference = _HISTORY.sub("", str(subject.get("reference") or ""))
        kind = self._kind(reference, subject, observation)
        if kind not in ("", "Patient"):
            return kind
        display = tidy(subject.get("display") or "", 100)
        aliases = _identifiers([subject.get("identifier")])
        if reference.startswith("#"):
            aliases |= _contained(observation, reference)
        elif reference:
            aliases.add(reference)
        if not aliases and display:
            aliases = {f"name {display}"}
        if aliases:
            words = display or tidy(reference, 100) or tidy(min(aliases), 100)
            self._join(_Person(aliases, words, measured=True))
        return ""

    @property
    def measured(self) -> list[str]:
        """The names of those of whom there are measurements."""
        return [one.words for one in self._persons() if one.measured]

    def _join(self, person: _Person) -> None:
        same = {self._by_alias[alias] for alias in person.aliases if alias in self._by_alias}
        if len(same) == 1 and person.aliases <= (known := next(iter(same))).aliases:
            known.measured = known.measured or person.measured
            return
        for one in same:
            person.aliases |= one.aliases
            person.measured = person.measured or one.measured
            person.born = person.born or one.born
            person.words = one.words  # the first, which a Patient gave where there is one
        self._by_alias |= dict.fromkeys(person.aliases, person)

    def _persons(self) -> list[_Person]:
        """Each once: Patient/1 is the one https://a.example/fhir/Patient/1, a name the one that bears it."""
        persons = list(dict.fromkeys(self._by_alias.values()))
        longer: dict[str, set[_Person]] = {}
        for one in persons:
            ends = {_end_of(alias) for alias in one.aliases}
            for short in (*ends, f"name {one.words}"):
                longer.setdefault(short, set()).add(one)
        kept = []
        for one in persons:
            same = set().union(*(longer.get(alias, set()) for alias in one.aliases)) - {one}
            if len(same) == 1:
                other = same.pop()
                other.measured = other.measured or one.measured
                other.born = other.born or one.born
            else:
                kept.append(one)
        return kept

    @property
    def born(self) -> str:
        """The date of birth of the first of whom there are measurements, where the file says it."""
        return next((one.born for one in self._persons() if one.measured), "")

    def _kind(self, reference: str, subject: dict[str, Any], observation: dict[str, Any]) -> str:
        if reference.startswith("#"):
            found = _named_part(observation, reference)
            return str(found.get("resourceType", "")) if found else ""
        typed = _TYPED.search(reference)
        said = subject.get("type")
        return (
            self.kinds.get(reference)
            or (typed[1] if typed else "")
            or (said if isinstance(said, str) and said.isalpha() else "")
        )


def refusal(names: list[str]) -> str:
    """The words for a file of several people."""
    shown = ", ".join(names[:NAMES_MAX]) + (" and others" if len(names) > NAMES_MAX else "")
    return (
        f"This file holds measurements of {len(names)} people: {shown}. A record is about one patient, so"
        " none of them is shown. Ask its sender for one file for each patient."
    )


def _end_of(alias: str) -> str:
    """Patient/1 of https://a.example/fhir/Patient/1; "" of what is no such address."""
    typed = _TYPED.search(alias)
    return typed[0].lstrip("/") if typed and "://" in alias else ""


def _identifiers(values: Any) -> set[str]:
    found = [one for one in values if isinstance(one, dict)] if isinstance(values, list) else []
    return {f"identifier {one.get('system', '')} {one['value']}" for one in found if one.get("value")}


def _named_part(observation: dict[str, Any], reference: str) -> dict[str, Any] | None:
    contained = observation.get("contained")
    for one in contained if isinstance(contained, list) else []:
        if isinstance(one, dict) and f"#{one.get('id')}" == reference:
            return one
    return None


def _contained(observation: dict[str, Any], reference: str) -> set[str]:
    patient = _named_part(observation, reference)
    if patient is None:
        return set()
    return _identifiers(patient.get("identifier")) or {_digest(patient)}


def _digest(resource: dict[str, Any]) -> str:
    """Return a digest of the person's names without the id: another observation may give another id."""
    said = ("name", "birthDate", "gender", "telecom")
    kept = {name: each for name, each in resource.items() if name in said}
    return json.dumps(kept or {"id": resource.get("id")}, sort_keys=True, default=str)


def _patient_words(patient: dict[str, Any]) -> str:
    names = patient.get("name")
    first = names[0] if isinstance(names, list) and names and isinstance(names[0], dict) else {}
    given = first.get("given")
    forenames = given if isinstance(given, list) else []
    name = first.get("text") or " ".join(map(str, [*forenames, first.get("family") or ""])).strip()
    born = patient.get("birthDate")
    name = name or str(patient.get("id") or "a patient")
    return tidy(f"{name}, born {born}" if isinstance(born, str) else name, 100)
