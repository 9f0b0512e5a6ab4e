"""WSGI, not ASGI: under ASGI Django spools request bodies to disk, and a body here is a medical record."""

import gc
import os
import resource

from django.core.wsgi import get_wsgi_application

from medrec.postgresql import limit_statements

WORKER_BOOT_ERROR = 3  # gunicorn's: it stops then, instead of starting the worker again and again

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "medrec.settings")

# A crash leaves no image of the memory on a disk: records and open vaults are in it.
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

limit_statements()
application = get_wsgi_application()

from chain.operations.start_up import end_if_refused  # noqa: E402  (models are there only now)

end_if_refused(code=WORKER_BOOT_ERROR)

# What is there now stays: no collection of a request looks through it, and forks keep sharing its memory.
gc.freeze()
