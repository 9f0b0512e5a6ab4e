"""Makes one file of this folder, to be kept with the phrase: `python pack.py medrec-open.pyz`.

What is made is a Python zip application. It runs by `python medrec-open.pyz` wherever `cryptography` is.
"""

import sys
import zipfile
from pathlib import Path

START = "import sys\nfrom medrec_open.__main__ import main\nsys.exit(main())\n"
_DAY = (2026, 1, 1, 0, 0, 0)  # one day for all, so that the same sources make the same file


def pack(target: Path) -> None:
    """Write the file."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("__main__.py", _DAY), START)
        for path in sorted(Path(__file__).parent.glob("*.py")):
            archive.writestr(zipfile.ZipInfo(f"medrec_open/{path.name}", _DAY), path.read_bytes())


if __name__ == "__main__":
    pack(Path(sys.argv[1] if len(sys.argv) > 1 else "medrec-open.pyz"))
