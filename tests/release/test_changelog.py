"""The changelog, the version and the packaging metadata agree."""

import re
import tomllib
from datetime import datetime

from packaging.version import Version

from medrec import __version__
from tests.release import RELEASE
from tests.run.portal import ROOT

HEADING = re.compile(r"^## (.+)$", re.MULTILINE)


def test_each_release_has_a_dated_section_the_newest_first() -> None:
    unreleased, *released = HEADING.findall((ROOT / "CHANGELOG.md").read_text())
    assert unreleased == "Unreleased"
    versions, days = zip(*(heading.split(", ") for heading in released), strict=True)
    moments = [datetime.strptime(day, "%d %B %Y") for day in days]
    assert moments == sorted(moments, reverse=True)
    assert list(versions) == sorted(versions, key=Version, reverse=True)
    assert versions[0] == RELEASE
    assert versions[-1] == "0.1.0"
    assert Version(__version__) >= Version(RELEASE)


def test_the_version_stands_in_one_place() -> None:
    metadata = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert metadata["project"]["dynamic"] == ["version"]
    assert metadata["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "medrec.__version__"}
