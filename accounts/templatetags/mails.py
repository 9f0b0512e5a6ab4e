"""What a page that waits for a mail tells about it."""

from django import template

from accounts.notifications import is_delayed, is_mail_late, is_refused

register = template.Library()


@register.simple_tag
def mail_is_late() -> bool:
    """Whether mails wait because the mail server does not take them now."""
    return is_mail_late()


@register.simple_tag
def mail_is_refused(email: str) -> bool:
    """Whether the newest mail to this address was refused for good."""
    return is_refused(email)


@register.simple_tag
def mail_is_delayed(email: str) -> bool:
    """Whether the mail to this address could not be sent yet: it was tried, or the mail server is away."""
    return bool(email and is_delayed(email)) or is_mail_late()
