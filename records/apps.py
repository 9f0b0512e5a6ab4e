"""The records app: the medical part."""

from django.apps import AppConfig


class RecordsConfig(AppConfig):
    """Documents, consent, and who looked at what."""

    name = "records"
    verbose_name = "Records and consent"

    def ready(self) -> None:
        """Register the handlers of chain events, the runners of errands, the health and system checks."""
        # Importing registers them.
        from records import checks, handlers, health, lost_store, projection, upload_checks  # noqa: F401
        from records.services import acceptance, after_restore, errands, limits  # noqa: F401
