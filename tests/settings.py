"""The portal's settings for tests: the same module, its state in a folder of its own that goes at the end."""

import atexit
import os
import shutil
import tempfile

_var = tempfile.mkdtemp(prefix="medrec-tests-")
atexit.register(shutil.rmtree, _var, ignore_errors=True)
os.environ["VAR"] = _var
os.environ.setdefault("CELERY_BROKER_URL", "memory://")

from medrec.settings import *  # noqa: E402, F403

STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
