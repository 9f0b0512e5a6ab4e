"""The project itself as an app: it brings static files and system checks."""

from django.apps import AppConfig


class MedRecConfig(AppConfig):
    """Wiring."""

    name = "medrec"
    verbose_name = "MedRec"

    def ready(self) -> None:
        """Register the system checks."""
        from medrec import metrics  # noqa: F401  (importing registers them)
