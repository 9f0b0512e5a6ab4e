"""Celery's application. Every queue also has a sweep: a message can be lost, the row is the truth."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "medrec.settings")

app = Celery("medrec")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
