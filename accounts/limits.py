"""How much one party may do to others: the table of limits.

`LIMIT_<NAME>` in the environment sets each of them, and 0 takes it away. The defaults lie far above what a
clinic with 200 doctors does. `services/limits.py`, here and in `records`, counts and refuses.
"""

from dataclasses import dataclass

GIB = 1024**3


@dataclass(frozen=True)
class Limit:
    """So many a day (or in all), and what somebody reads who has reached it."""

    name: str
    most: int
    words: str
    daily: bool = True


LIMITS = {
    limit.name: limit
    for limit in (
        # Acts: each costs a fee. What protects a patient (no longer sharing, refusing, blocking) is free.
        Limit("ACTS_PER_ACCOUNT", 20_000, "You can make {most} changes a day."),
        Limit("GRANTS_PER_PATIENT", 5_000, "You can share {most} folders or records a day."),
        Limit("FOLDERS_PER_PATIENT", 200, "You can have {most} folders.", daily=False),
        # Requests for access.
        Limit("REQUESTS_PER_SENDER", 200, "You can send {most} requests a day."),
        Limit("REQUESTS_TO_ONE_PATIENT", 10, "You can ask one patient {most} times a day."),
        Limit("REQUESTS_PER_PATIENT", 100, "This patient has been asked {most} times today."),
        Limit("REQUESTS_PER_INSTITUTION", 5_000, "Your institution can send {most} requests a day."),
        # Mails to addresses that somebody types in.
        Limit("MAILS_PER_SENDER", 100, "You can mail {most} requests a day."),
        Limit("MAILS_TO_ONE_ADDRESS", 5, "This e-mail address has had {most} requests today."),
        Limit("MAILS_PER_INSTITUTION", 2_000, "Your institution can mail {most} requests a day."),
        Limit("INVITATIONS_TO_ONE_ADDRESS", 5, "This e-mail address has had {most} invitations today."),
        Limit("INVITATIONS_PER_INSTITUTION", 500, "Your institution can send {most} invitations a day."),
        # Records left in inboxes, where no patient has agreed to them.
        Limit("INBOX_PER_SENDER", 500, "You can leave {most} records in inboxes a day."),
        Limit("INBOX_TO_ONE_PATIENT", 50, "You can leave one patient {most} records a day."),
        Limit("INBOX_PER_PATIENT", 500, "This patient has been left {most} records today."),
        Limit("INBOX_PER_INSTITUTION", 10_000, "Your institution can leave {most} records a day."),
        # Bytes of files.
        Limit("BYTES_PER_SENDER", 500 * GIB, "You can send {most} a day."),
        Limit("BYTES_PER_INSTITUTION", 10_000 * GIB, "Your institution can send {most} a day."),
        Limit(
            "BYTES_PER_PATIENT",
            2_000 * GIB,
            "There is room for {most} of records.",
            daily=False,
        ),
        Limit(
            "INBOX_BYTES_PER_PATIENT",
            50 * GIB,
            "This inbox has room for {most}.",
            daily=False,
        ),
        # Not refused, but left out: a mail that says the same again, a key task, a file from another portal,
        # a line of the inbox.
        Limit("NOTICES_PER_PERSON", 20, ""),
        Limit("KEY_TASKS_PER_SENDER", 1_000, ""),
        Limit("FETCHES_PER_SENDER", 5_000, ""),
        Limit("INBOX_SHOWN_PER_SENDER", 50, "", daily=False),
        Limit("INBOX_SHOWN_PER_INSTITUTION", 500, "", daily=False),
    )
}
