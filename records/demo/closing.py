"""The demo's people have a published password: they are for a portal that its own machine alone reaches."""

from django.conf import settings

from accounts.hosts import is_loopback
from accounts.models import User
from records.demo.people import EVERYBODY, PASSWORD


def demo_is_allowed() -> bool:
    """Return whether this portal is for its own machine alone."""
    return is_loopback(settings.PUBLIC_URL)


def open_to_anybody() -> list[User]:
    """The demo's people who can sign in with the published password. About 0.15 s for each."""
    people = User.objects.filter(email__in=[person.email for person in EVERYBODY], is_active=True)
    return [user for user in people if user.check_password(PASSWORD)]


def close_demo() -> list[str]:
    """Deactivate them where others reach the portal. The e-mail addresses of those who were closed."""
    if demo_is_allowed():
        return []
    closed = open_to_anybody()
    User.objects.filter(pk__in=[user.pk for user in closed]).update(is_active=False)
    return sorted(user.email for user in closed)
