"""Files put into a demo person's records over the API, as an integrator's program does."""

import json
import subprocess
import sys
import urllib.request
from typing import Any

from tests.run.portal import ROOT, Portal

MAKE_TOKEN = """
import django
django.setup()
from accounts.models import User
from accounts.services import tokens
from accounts.services.signup import open_actor
from records.demo.cast import CHIARA, PASSWORD
actor = open_actor(User.objects.get(email=CHIARA.email), PASSWORD, "patient")
print(tokens.make_token(actor=actor, name="files", scope="act", days=1)[1])
"""


def token(portal: Portal) -> str:
    """An API token of Chiara's, made by the portal's own code beside it."""
    environment = portal.environment | {"DJANGO_SETTINGS_MODULE": "medrec.settings"}
    command = [sys.executable, "-c", MAKE_TOKEN]
    made = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return made.stdout.split()[-1]


def put_file(portal: Portal, secret: str, body: bytes, name: str, media_type: str) -> str:
    """Save a file. The path of the page that shows it."""
    described = {
        "title": f"File {name}",
        "kind": "51899-3",
        "file_name": name,
        "media_type": media_type,
        "size": len(body),
        "folder": 1,
    }
    upload = _send(portal, secret, "POST", "uploads", json.dumps(described).encode(), "application/json")[
        "id"
    ]
    saved = _send(portal, secret, "PUT", f"uploads/{upload}/content", body, "application/octet-stream")
    return f"/records/{saved['id']}/versions/1/view/"


def _send(portal: Portal, secret: str, method: str, path: str, body: bytes, kind: str) -> dict[str, Any]:
    request = urllib.request.Request(
        f"{portal.url}/api/v1/{path}",
        body,
        {"Authorization": f"Bearer {secret}", "Content-Type": kind},
        method=method,
    )
    with urllib.request.urlopen(request) as answer:
        found: dict[str, Any] = json.load(answer)
    return found
