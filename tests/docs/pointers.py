"""Find what a text points at (paths, functions, sections, commands), and look whether it exists."""

import ast
import io
import re
import subprocess
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from django.core.management import get_commands, load_command_class

from tests.run.portal import ROOT

TOP = r"(?:\.ci|accounts|chain|deploy|docs|medrec(?!/v1/)|records|templates|tests)/"
# A path from the top or, with an ending, from the folder of the file that names it. `:name` is its member.
PATH = re.compile(
    rf"(?<![\w/.@-])({TOP}[\w./*-]*[\w*/]|[\w-]+(?:/[\w-]+)*\.(?:py|sol|md)\b)(?::([A-Za-z_][\w.]*))?"
)
SECTION = re.compile(r'([A-Z]+\.md)(?:\]\([^)]*\))?, "([^"]+)"')
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([\w-]+))?\)")
MANAGE = re.compile(r"(?:manage\.py|deploy/manage) ([a-z_]+)((?: (?:--?[a-z][\w-]*|[\w.:/<>-]+))*)")
MAKE = re.compile(r"^make ([a-z]+)")
DOTTED = re.compile(r"(?<![\w./@-])((?:accounts|chain|medrec|records)(?:\.(?![EW]\d)[A-Za-z_]\w*)+)(?![\w/])")
MODULE = re.compile(r"python -m ((?:accounts|chain|medrec|records|tests)(?:\.\w+)*)")
NOT_MODULES = {"accounts.security", "medrec.dump", "medrec.sqlite3"}  # a logger, and files of an operator
MADE_BY_READERS = {
    f"deploy/{name}" for name in ("own.env", "own-site.conf", "postgres-password", "certificates")
}


@cache
def tracked() -> frozenset[str]:
    """Return every file and folder of the checkout, folders without a slash at the end."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    files = [name for name in listed.stdout.splitlines() if (ROOT / name).exists()]
    return frozenset(files) | {str(folder) for name in files for folder in Path(name).parents}


@cache
def _by_name() -> dict[str, str]:
    """Return a path from the top for each file name."""
    return {Path(path).name: path for path in tracked()}


def texts_of(name: str) -> Iterator[str]:
    """Yield what a file says to its readers: a page as it stands, of code the comments and docstrings."""
    text = (ROOT / name).read_text()
    if name.endswith(".md"):
        yield text
    elif name.endswith(".sol"):
        yield "\n".join(re.findall(r"//[^\n]*|/\*.*?\*/", text, re.DOTALL))
    elif not name.endswith(".py"):
        yield "\n".join(re.findall(r"(?:^|\s)# .*", text))
    else:
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                yield ast.get_docstring(node) or ""
        tokens = tokenize.generate_tokens(io.StringIO(text).readline)
        yield "\n".join(token.string for token in tokens if token.type == tokenize.COMMENT)


def broken_pointers(name: str, text: str) -> list[str]:
    """Return the pointers in a text that lead nowhere. `name` is the file that holds the text."""
    return [
        pointer
        for pointers in (_paths, _names, _sections, _links, _commands)
        for pointer, exists in pointers(Path(name).parent, text)
        if not exists
    ]


def _paths(folder: Path, text: str) -> Iterator[tuple[str, bool]]:
    for path, member in PATH.findall(text):
        file = _resolve(folder, path.rstrip("/"))
        exists = file is not None and (not member or _has_member(file, member))
        yield f"{path}:{member}" if member else path, exists


def _resolve(folder: Path, path: str) -> str | None:
    """Return the path from the top: as it stands, or seen from the naming file's folder or one above.

    A bare file name may stand for a file anywhere.
    """
    if path in MADE_BY_READERS:
        return path
    for start in (Path(), folder, *folder.parents):
        candidate = str(start / path)
        if "*" in path:
            if any(Path(name).match(candidate) for name in tracked()):
                return candidate
        elif candidate in tracked():
            return candidate
    return _by_name().get(path)


@cache
def _members(file: str) -> frozenset[str]:
    """Return the functions, classes, constants and imports of a module, and methods as Class.name."""
    names = set()
    for node in ast.parse((ROOT / file).read_text()).body:
        names |= _names_of(node)
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{name}" for each in node.body for name in _names_of(each)}
    return frozenset(names)


def _names_of(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name for alias in node.names}
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _has_member(file: str, member: str) -> bool:
    if file.endswith(".sol"):
        return (
            re.search(rf"\b(function|modifier|contract|event|error) {member}\b", (ROOT / file).read_text())
            is not None
        )
    return member in _members(file)


def _names(_: Path, text: str) -> Iterator[tuple[str, bool]]:
    for name in DOTTED.findall(text):
        yield name, name in _by_name() or name in NOT_MODULES or _is_defined(name)


def _is_defined(name: str) -> bool:
    """Return whether this is a module or a package, or a member of one."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        folder, member = "/".join(parts[:count]), ".".join(parts[count:])
        if file := next((f for f in (f"{folder}.py", f"{folder}/__init__.py") if f in tracked()), None):
            return not member or _has_member(file, member)
    return False


@cache
def headings(page: str) -> dict[str, str]:
    """Return a page's headings, and its bold run-in ones, each with its anchor."""
    text = (ROOT / page).read_text()
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE) + re.findall(r"\*\*([^*]+?)\.?\*\*", text)
    return {title: re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}


def _sections(_: Path, text: str) -> Iterator[tuple[str, bool]]:
    for page, title in SECTION.findall(" ".join(text.split())):
        file = _resolve(Path("docs"), page)
        yield f'{page}, "{title}"', file is not None and title in headings(file)


def _links(folder: Path, text: str) -> Iterator[tuple[str, bool]]:
    for path, anchor in LINK.findall(text):  # of a page
        file = (ROOT / folder / path).resolve()
        anchors = headings(str(file.relative_to(ROOT))).values() if anchor and file.is_file() else [anchor]
        yield f"{path}#{anchor}", file.exists() and anchor in anchors


def _commands(_: Path, text: str) -> Iterator[tuple[str, bool]]:
    makefile = (ROOT / "Makefile").read_text()
    for code in _code_of(text):
        for command, arguments in MANAGE.findall(code):
            yield f"manage.py {command}{arguments}", _takes(command, re.findall(r"--[a-z][\w-]*", arguments))
        for target in MAKE.findall(code):
            yield f"make {target}", re.search(rf"^{target}:", makefile, re.MULTILINE) is not None
        for module in MODULE.findall(code):
            yield f"python -m {module}", _is_defined(module)


def _code_of(text: str) -> Iterator[str]:
    """Yield each line of a fenced block, and each span between backticks."""
    for block in re.findall(r"```\n(.*?)```", text, re.DOTALL):
        yield from block.splitlines()
    for span in re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
        yield re.sub(r"\s+(?:# )?", " ", span)


def _takes(command: str, options: list[str]) -> bool:
    """Return whether manage.py has this command, with all of these options."""
    if command not in get_commands():
        return False
    app = get_commands()[command]
    loaded = load_command_class(app, command) if isinstance(app, str) else app
    known = loaded.create_parser("manage.py", command)._option_string_actions
    return all(option in known for option in options)
