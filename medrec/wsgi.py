"""WSGI, not ASGI: under ASGI Django spools request bodies to disk, and a body here is a medical record."""

import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "medrec.settings")

application = get_wsgi_application()

# What is there now stays: no collection of a request looks through it, and forks keep sharing its memory.
gc.freeze()
