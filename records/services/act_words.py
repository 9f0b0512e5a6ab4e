"""An act in plain words, before it is signed."""

from accounts.directory import Person
from chain.acts.messages import PreparedAct
from records.chain_words import ZERO_WORD, moment


def describe_act(act: PreparedAct, scope_words: str, *, who: Person, via: Person | None) -> list[str]:
    """Sentences that say everything a GrantAccess message says."""
    fields = act.fields
    begins, ends = moment(fields["notBefore"]), moment(fields["expiry"])
    may = "read, add and modify" if fields["permissions"] & 2 else "read"
    words = [
        f"I give {who.name} ({who.address}) access.",
        f"What: {scope_words}.",
        f"They may {may}.",
        f"From {begins:%d %B %Y %H:%M} to {ends:%d %B %Y %H:%M} (UTC).",
    ]
    if via is not None and via.address != who.address:
        words.insert(1, f"Through {via.name} ({via.address}), as long as they belong to it.")
    elif via is not None:
        words.insert(1, "Every doctor of this institution may use it.")
    if fields["request"] != ZERO_WORD:
        words.append(f"This answers the request {fields['request'][:10]}….")
    words.append("The portal pays the fee.")
    return words
