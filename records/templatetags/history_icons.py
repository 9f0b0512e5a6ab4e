"""The icon of each kind of line in the access history."""

from django import template

register = template.Library()

ICONS = {
    "viewed": "eye",
    "listed": "list-ul",
    "requested": "person-raised-hand",
    "withdrawn": "arrow-counterclockwise",
    "denied": "slash-circle",
    "granted": "unlock",
    "revoked": "lock",
    "given up": "lock",
    "rekeyed": "key",
    "added": "file-earmark-plus",
    "modified": "pencil",
    "closed": "archive",
}


@register.filter
def history_icon(action: str) -> str:
    """Return the name of Bootstrap's icon for what was done."""
    return ICONS.get(action, "shield")
