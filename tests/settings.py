"""The portal's settings for tests: the same module, its state in a folder of its own that goes at the end.

DATABASE_URL, CELERY_BROKER_URL and CACHE_URL count as they do for the portal. Pytest-django makes a database.
"""

import atexit
import os
import shutil
import tempfile

from accounts.crypto import vault
from tests.hashers import quick_key
from tests.servers.share import cache_of_worker

_var = tempfile.mkdtemp(prefix="medrec-tests-")
atexit.register(shutil.rmtree, _var, ignore_errors=True)
os.environ["VAR"] = _var
os.environ.setdefault("CELERY_BROKER_URL", "memory://")
os.environ.setdefault("DISK_RESERVE_BYTES", "0")
if "CACHE_URL" in os.environ:  # `python -m tests.servers` runs these tests
    os.environ["CACHE_URL"] = cache_of_worker(os.environ["CACHE_URL"])

from medrec.settings import *  # noqa: E402, F403

STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
PASSWORD_HASHERS = ["tests.hashers.QuickHasher"]
vault._password_key = quick_key
CHAIN_BATCH_WAIT = 0.0  # no waiting for company
