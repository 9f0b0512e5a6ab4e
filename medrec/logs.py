"""A filter that keeps secrets of mailed links, which are part of their address, out of every log."""

import logging
import re

# Mailed requests, invitations, and allauth's password reset.
_LINK = re.compile(r"(/(?:requests/mailed|invitations|password/reset/key)/)[^/\s'\"]+")


class HideLinkSecrets(logging.Filter):
    """Takes the secret out of every logged address of a mailed link."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the line. Every line passes."""
        line = record.getMessage()
        if (hidden := _LINK.sub(r"\1…", line)) != line:
            record.msg, record.args = hidden, ()
        return True
