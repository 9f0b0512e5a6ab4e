"""PostgreSQL, whose statements have a deadline in a web process (`base.py`)."""

_state = {"limited": False}


def limit_statements() -> None:
    """Give the statements of this process a deadline, and those of the processes that it forks."""
    _state["limited"] = True


def are_statements_limited() -> bool:
    """Return whether this is a web process."""
    return _state["limited"]
