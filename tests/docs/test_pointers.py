"""Every path, section, function and command that the documentation and the code name exists."""

import pytest

from tests.docs.pointers import broken_pointers, texts_of, tracked

READ = (
    ".md",
    ".py",
    ".sol",
    ".toml",
    ".service",
    ".conf",
    ".env",
    ".yaml",
    "Makefile",
    "Dockerfile",
    ".ci/run",
)


def test_every_pointer_leads_somewhere() -> None:
    files = sorted(name for name in tracked() if name.endswith(READ) and "/migrations/" not in name)
    assert len(files) > 800
    broken = [
        f"{name}: {pointer}"
        for name in files
        for text in texts_of(name)
        for pointer in broken_pointers(name, text)
    ]
    assert broken == []


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        ("see records/acess.py", "records/acess.py"),
        ("`records/access.py:can_reed`", "records/access.py:can_reed"),
        ("`tests/docs/pointers.py:no_such`", "tests/docs/pointers.py:no_such"),
        ("`tests/vectors/*.jsn`", "tests/vectors/*.jsn"),
        ("as `docs/FORMAT.md` says", None),
        ("docs/nowhere.md", "docs/nowhere.md"),
        ('docs/FORMAT.md, "Ids"', None),
        ('FORMAT.md, "KEYS"', 'FORMAT.md, "KEYS"'),
        ('[FORMAT.md](docs/FORMAT.md), "KEYS"', 'FORMAT.md, "KEYS"'),
        ("[x](docs/OPERATIONS.md#limits)", None),
        ("[x](docs/OPERATIONS.md#limit)", "docs/OPERATIONS.md#limit"),
        ("`manage.py reconcile --deep`", None),
        ("`manage.py reconcile --deeper`", "manage.py reconcile --deeper"),
        ("`manage.py reconsile`", "manage.py reconsile"),
        ("`make faults`", None),
        ("`make fault`", "make fault"),
        ("`python -m tests.bench`", None),
        ("`python -m tests.benches`", "python -m tests.benches"),
        ("medrec.settings.PUBLIC_URL", None),
        ("medrec.settings.PUBLIC_URI", "medrec.settings.PUBLIC_URI"),
    ],
)
def test_a_pointer_that_leads_nowhere_is_named(text: str, pointer: str | None) -> None:
    assert broken_pointers("README.md", text) == ([pointer] if pointer else [])
