"""The tag `csrf_token`, which every form has: here it binds the form to the account of its page, too.

The settings make it one of the tags that every template knows, in the place of Django's own.
"""

from typing import Any

from django import template
from django.template.base import Parser, Token
from django.template.context import Context
from django.template.defaulttags import CsrfTokenNode
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from accounts.page_binding import FIELD, page_binding

register = template.Library()


class BoundFormNode(CsrfTokenNode):
    """Django's hidden field, and the page's binding for who is signed in."""

    def render(self, context: Context) -> SafeString:
        """Return both fields."""
        token = mark_safe(super().render(context))  # noqa: S308  (Django's own field)
        request: Any = context.get("request")
        if request is None or not request.user.is_authenticated:
            return token
        if not hasattr(request, "bound_field"):
            signed = str(page_binding(request))
            request.bound_field = format_html('<input type="hidden" name="{}" value="{}">', FIELD, signed)
        return SafeString(token + request.bound_field)


@register.tag
def csrf_token(_parser: Parser, _token: Token) -> BoundFormNode:
    """Render the two hidden fields that every form needs."""
    return BoundFormNode()
