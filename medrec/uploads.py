"""The only upload handler: it refuses multipart files, so that no plaintext is ever spooled to a disk."""

from typing import IO, Any, NoReturn

from django.core.exceptions import SuspiciousMultipartForm
from django.core.files.uploadhandler import FileUploadHandler


class RefuseFiles(FileUploadHandler):
    """Refuses every file part. Record bytes are the raw body of a PUT."""

    def new_file(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Called for each file part before any of its bytes."""
        raise SuspiciousMultipartForm(
            "Files are not taken in a form: describe the upload, then PUT its bytes."
        )

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        """Never reached: new_file has refused."""
        return None

    def file_complete(self, file_size: int) -> IO[bytes] | None:  # type: ignore[override]
        """Never reached: new_file has refused."""
        return None
