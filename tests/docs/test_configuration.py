"""docs/CONFIGURATION.md lists every setting that the code reads, and no other."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.deploy.machines import settings_file
from tests.run.portal import ROOT

APPS = ("medrec", "accounts", "records", "chain")
OF_OTHER_PROGRAMS = {"NODE", "PYTHONWARNINGS"}  # of solc's build script, and of Python
READERS = {"get", "str", "bool", "int", "float", "list", "db", "cache", "email"}


def name_read(node: ast.AST) -> str | None:
    """Return the environment variable that this expression reads, or None for any other expression."""
    if isinstance(node, ast.Subscript):
        function, arguments = ast.unparse(node.value), [node.slice]
        reads = function == "os.environ"
    elif isinstance(node, ast.Call):
        function, arguments = ast.unparse(node.func), node.args
        owner, _, method = function.rpartition(".")
        reads = function == "_port" or (owner in {"env", "os.environ"} and method in READERS)
    else:
        return None
    if not reads or not arguments:
        return None
    if isinstance(arguments[0], ast.JoinedStr):
        return ast.unparse(arguments[0])[2:-1].split("{")[0] + "..."
    return str(arguments[0].value) if isinstance(arguments[0], ast.Constant) else None


def settings_read() -> Iterator[str]:
    """Yield the name of each environment variable that the code reads."""
    for app in APPS:
        for path in (ROOT / app).rglob("*.py"):
            yield from filter(None, map(name_read, ast.walk(ast.parse(path.read_text()))))


def documented() -> list[str]:
    """Return the names in the first columns of the page's tables."""
    page = (ROOT / "docs" / "CONFIGURATION.md").read_text()
    return re.findall(r"^\| `([A-Z_.]+)` \|", page, re.MULTILINE)


def test_every_setting_is_documented_once_and_no_other() -> None:
    assert sorted(documented()) == sorted({*settings_read()} - OF_OTHER_PROGRAMS)


def test_the_settings_file_has_only_settings_that_are_documented() -> None:
    lines = settings_file({}).splitlines()
    names = [line.partition("=")[0] for line in lines if line and not line.startswith("#")]
    assert len(names) > 10
    assert set(names) <= set(documented())


def test_the_readme_begins_with_what_for_whom_and_how() -> None:
    first = (ROOT / "README.md").read_text().splitlines()[:10]
    for word in ("medical records", "patients", "doctors", "`make run`"):
        assert word in "\n".join(first)


def test_every_page_is_linked_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    for page in (ROOT / "docs").glob("*.md"):
        assert f"(docs/{Path(page).name})" in readme
