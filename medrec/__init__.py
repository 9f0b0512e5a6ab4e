"""The wiring: settings, URLs, Celery, WSGI. Nobody imports this package."""

from medrec.celery import app as celery_app

__all__ = ["celery_app"]
