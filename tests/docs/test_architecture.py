"""docs/ARCHITECTURE.md explains every model, and names the line that enforces each rule."""

import re

from django.apps import apps

from tests.docs.pointers import PATH
from tests.run.portal import ROOT

PAGE = (ROOT / "docs" / "ARCHITECTURE.md").read_text()
RULES = PAGE.split("## Rules and where they are enforced")[1]


def test_every_model_is_in_the_glossary() -> None:
    glossary = PAGE.split("### Models")[1].split("\n## ")[0]
    cells = re.findall(r"^\| (`.+?) \|", glossary, re.MULTILINE)
    explained = set(re.findall(r"`(\w+)`", " ".join(cells)))
    models = {
        model.__name__
        for app in ("chain", "accounts", "records")
        for model in apps.get_app_config(app).get_models()
    }
    assert explained == models


def test_every_rule_names_the_function_that_enforces_it() -> None:
    rows = [row for row in re.findall(r"^\| (.+) \|$", RULES, re.MULTILINE) if not row.startswith("rule ")]
    assert len(rows) >= 30
    assert [row for row in rows if not any(member for _, member in PATH.findall(row))] == []


def test_every_word_of_the_glossary_is_in_use() -> None:
    glossary = PAGE.split("### Words")[1].split("### Models")[0]
    words = re.findall(r"^\| ([^|]+?) \|", glossary, re.MULTILINE)[1:]
    paths = (
        path for app in ("chain", "accounts", "records", "medrec") for path in (ROOT / app).rglob("*.py")
    )
    code = "\n".join(path.read_text() for path in paths).lower()
    assert len(words) > 100
    assert [word for word in words if not any(form.strip().lower() in code for form in word.split(","))] == []
