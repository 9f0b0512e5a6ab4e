"""An act in plain words, before it is signed."""

from accounts.services.directory import person_of
from chain.acts import PreparedAct
from records.chain_words import ZERO_WORD, address_row, moment


def describe_act(act: PreparedAct, scope_words: str) -> list[str]:
    """Sentences that say everything a GrantAccess message says."""
    fields = act.fields
    who, via = person_of(fields["grantee"]), address_row(fields["via"])
    begins, ends = moment(fields["notBefore"]), moment(fields["expiry"])
    may = "read, add and modify" if fields["permissions"] & 2 else "read"
    words = [
        f"I give {who.name} ({who.address}) access.",
        f"What: {scope_words}.",
        f"They may {may}.",
        f"From {begins:%d %B %Y %H:%M} to {ends:%d %B %Y %H:%M} (UTC).",
    ]
    if via and via != who.address:
        words.insert(1, f"Through {person_of(via).name} ({via}), as long as they belong to it.")
    elif via:
        words.insert(1, "Every doctor of this institution may use it.")
    if fields["request"] != ZERO_WORD:
        words.append(f"This answers the request {fields['request'][:10]}….")
    words.append("The portal pays the fee.")
    return words
