"""Room for files: they are refused while the disk still has some for rows."""

from pathlib import Path

from django.conf import settings

from chain.support.disk_reserve import DiskReserve
from records.errors import NoRoom


def disk_reserve() -> DiskReserve:
    """The reserve of the settings."""
    return DiskReserve(Path(settings.VAR), settings.DISK_RESERVE_BYTES)


def require_room(size: int) -> None:
    """Raise NoRoom unless the disk has room for this many bytes of a file, and then for rows."""
    reserve = disk_reserve()
    needed = size if _takes_files(reserve.file.parent) else 0
    try:
        if reserve.room() < needed:
            raise NoRoom
    except OSError:  # the folder is away, and whoever writes into it says so
        return


def _takes_files(folder: Path) -> bool:
    """Return whether files or parts of files go to the same disk."""
    places = [settings.UPLOAD_STAGING_PATH, *([] if settings.IPFS_API_URL else [settings.STORE_PATH])]
    disk = folder.stat().st_dev
    return any(_existing(Path(place)).stat().st_dev == disk for place in places)


def _existing(path: Path) -> Path:
    """The folder, or the nearest one above that is there already."""
    return next(place for place in (path, *path.parents) if place.exists())
