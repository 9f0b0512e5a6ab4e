"""Where each file lies in the ZIP: `records/<folder>/<date> <title>.<ending>`, safe on every system."""

from records.media_types import ending_of
from records.services.file_names import safe_name, split_name
from records.services.searching import day_of
from records.shapes import RecordView, VersionView

FOLDER_BYTES = 60
TITLE_BYTES = 100  # Windows opens paths of some 260 characters, and a folder above it is the person's own


class ExportNames:
    """Hands out each path once, also where case tells no files apart."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, record: RecordView, version: VersionView, *, numbered: bool) -> str:
        """The path of a version's file. With its number where several of a record may come.

        The ending is the file's, else its type's: a title's "Report.bat" is none.
        """
        folder = safe_name(record.folder_name if record.folder else "Inbox", "Folder", most=FOLDER_BYTES)
        day = day_of(version)
        title = safe_name(version.title, "Record", most=TITLE_BYTES)
        ending = split_name(safe_name(version.file_name))[1] or ending_of(version.media_type)
        stem = f"{day.isoformat()} {title}" + (f" (version {version.number})" if numbered else "")
        path, count = f"records/{folder}/{stem}{ending}", 1
        while path.casefold() in self._taken:
            count += 1
            path = f"records/{folder}/{stem} ({count}){ending}"
        self._taken.add(path.casefold())
        return path
