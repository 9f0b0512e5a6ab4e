"""A browser for tests of views: what it sends names the account that acts, as every page's forms do."""

from typing import Any

from django.contrib.auth import SESSION_KEY
from django.test import Client

from accounts.models import Account
from accounts.page_binding import FIELD, HEADER, PageBinding
from accounts.requests import ACTING_AS
from records.web.bound_forms import SAFE_METHODS

_META = f"HTTP_{HEADER.upper().replace('-', '_')}"


class PageClient(Client):
    """Django's client; a form without a binding of its own gets that of a page loaded just before."""

    def generic(self, method: str, path: Any, data: Any = "", *args: Any, **extra: Any) -> Any:
        """Send a request, as the account that acts now."""
        named = HEADER in (extra.get("headers") or {}) or _META in extra
        if method not in SAFE_METHODS and not named and FIELD.encode() not in _bytes(data):
            extra[_META] = str(self.binding())
        return super().generic(method, path, data, *args, **extra)

    def binding(self, patient: str = "") -> PageBinding:
        """Return the binding that a page would show if it were loaded now."""
        if not self.cookies:
            return PageBinding("", patient)
        user, acting = self.session.get(SESSION_KEY), self.session.get(ACTING_AS)
        own = list(Account.objects.filter(user=user).order_by("index")) if user else []
        account = next((one for one in own if one.address == acting), own[0] if own else None)
        return PageBinding(account.address if account else "", patient)


def _bytes(data: Any) -> bytes:
    return data if isinstance(data, bytes) else str(data).encode()
