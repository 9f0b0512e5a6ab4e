"""Tools that some tests need and a machine may lack."""

import os
from pathlib import Path

import pytest


def require_tool(name: str, path: Path | None, how: str) -> Path:
    """The tool's path. Without it the test is skipped, saying how to get the tool.

    With MEDREC_REQUIRE_ALL=1 (the full check) a missing tool is a failure: no skip passes unnoticed.
    """
    if path is not None:
        return path
    message = f"{name} is missing: {how}"
    if os.environ.get("MEDREC_REQUIRE_ALL") == "1":
        pytest.fail(message)
    pytest.skip(message)
