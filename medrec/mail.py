"""Mails on the terminal, for a portal without a mail server: as a person reads them, not as they travel."""

from django.core.mail import EmailMessage
from django.core.mail.backends.console import EmailBackend

RULE = "-" * 72


class TerminalEmailBackend(EmailBackend):
    """Prints a mail as one block: address, subject and text. Codes and links stand there unbroken."""

    def write_message(self, message: EmailMessage) -> None:
        """Print in one call, so that the mails of several threads do not mix. Raises BadHeaderError."""
        message.message()  # checks the headers, as a mail server's backend does
        head = f"To: {', '.join(message.recipients())}\nSubject: {message.subject}"
        self.stream.write(f"{RULE}\n{head}\n\n{str(message.body).strip()}\n{RULE}\n")
