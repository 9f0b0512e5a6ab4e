"""The wiring: settings, URLs, Celery, WSGI. Nobody imports this package."""

from medrec.celery import app as celery_app

__version__ = "0.10.0"  # docs/OPERATIONS.md, "Releases"

__all__ = ["celery_app"]
