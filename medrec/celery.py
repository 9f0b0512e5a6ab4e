"""Celery's application. Every queue also has a sweep: a message can be lost, the row is the truth."""

import os

from celery import Celery
from kombu.transport import TRANSPORT_ALIASES

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "medrec.settings")
TRANSPORT_ALIASES["filesystem"] = "medrec.file_queue:Transport"

app = Celery("medrec")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
