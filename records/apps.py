"""The records app: the medical part."""

from django.apps import AppConfig


class RecordsConfig(AppConfig):
    """Documents, consent, and who looked at what."""

    name = "records"
    verbose_name = "Records and consent"

    def ready(self) -> None:
        """Register the handlers of chain events and the runners of errands."""
        from records import handlers  # noqa: F401  (importing registers them)
        from records.services import errands  # noqa: F401
