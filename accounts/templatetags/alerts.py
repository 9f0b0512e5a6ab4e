"""How Django's messages look on a page."""

from django import template

register = template.Library()

CLASSES = {"error": "alert-danger", "warning": "alert-warning"}


@register.filter
def alert_class(level_tag: str) -> str:
    """Return Bootstrap's class for a message's level: what is neither an error nor a warning went well."""
    return CLASSES.get(level_tag, "alert-success")
