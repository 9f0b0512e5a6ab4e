"""API tokens: made, opened, revoked. The secret is shown once and kept by nobody here."""

import hashlib
import secrets
import uuid
from contextlib import suppress
from datetime import timedelta

from django.db import IntegrityError, OperationalError, transaction
from django.db.models import Q
from django.utils import timezone

from accounts.actor import Actor
from accounts.crypto.bundle import KeyBundle
from accounts.crypto.derivation import labelled
from accounts.crypto.vault import open_under, seal_under, token_key
from accounts.errors import TokenRefused
from accounts.models import Account, ApiToken, Membership
from chain.support.pasted_text import can_be_seen, plain_name

PREFIX = "medrec_"
LONGEST = timedelta(days=366)
MOST = 50
TOUCH_EVERY = timedelta(seconds=60)


def make_token(
    *, actor: Actor, name: str, scope: str, days: int, token_id: uuid.UUID | None = None
) -> tuple[ApiToken, str]:
    """A token for the account that acts, and its secret. Raises VaultClosed or TokenRefused.

    It holds the keys of this account alone; a read-only one holds no signing key. The same id (that a form
    brings) makes no second token.
    """
    if scope not in ApiToken.Scope.values:
        raise TokenRefused(f"Unknown scope: {scope}")
    if name.strip() and not can_be_seen(plain_name(name)):
        raise TokenRefused("Give the token a name that can be seen.")
    if not 1 <= days <= LONGEST.days:
        raise TokenRefused(f"A token lasts from 1 to {LONGEST.days} days.")
    if scope == ApiToken.Scope.READ and _manages(actor):
        raise TokenRefused(
            "Whoever manages an institution gets no read-only token: it would open the institution's keys."
        )
    if ApiToken.objects.live().filter(account=actor.account).count() >= MOST:
        raise TokenRefused("This account has too many tokens already. Revoke some first.")
    bundle = KeyBundle({actor.account.index: actor.keys})
    if scope == ApiToken.Scope.READ:
        bundle = bundle.read_only()
    secret = PREFIX + secrets.token_urlsafe(32)
    token = ApiToken(
        id=token_id or uuid.uuid4(),
        user=actor.user,
        account=actor.account,
        name=plain_name(name) or "token",
        scope=scope,
        digest=_digest(secret),
        expires_at=timezone.now() + timedelta(days=days),
    )
    token.sealed = seal_under(token_key(secret), bundle.to_bytes(), _associated(token))
    try:
        with transaction.atomic():
            token.save(force_insert=True)
    except IntegrityError as error:
        raise TokenRefused("This token was made already; its secret was shown once.") from error
    return token, secret


def actor_of(secret: str) -> Actor | None:
    """Who a token's secret acts as; None for an unknown or ended one, or an inactive user."""
    tokens = ApiToken.objects.live().select_related("user", "account")
    try:
        token = tokens.get(digest=_digest(secret), user__is_active=True)
    except ApiToken.DoesNotExist:
        return None
    token.account.user = token.user  # whose it is: no second query for the same row
    _touch(token)

    def open_bundle() -> KeyBundle:
        return KeyBundle.from_bytes(open_under(token_key(secret), bytes(token.sealed), _associated(token)))

    read_only = token.scope == ApiToken.Scope.READ
    return Actor(user=token.user, account=token.account, open_bundle=open_bundle, read_only=read_only)


def revoke_token(*, actor: Actor, token_id: uuid.UUID) -> bool:
    """End a token of this user's; False if there is none, or it has ended."""
    return bool(ApiToken.objects.filter(pk=token_id, user=actor.user).end())


def end_read_only(account: Account) -> None:
    """End the read-only tokens of somebody who becomes a manager, in the caller's transaction."""
    ApiToken.objects.filter(account=account, scope=ApiToken.Scope.READ).end()


def _manages(actor: Actor) -> bool:
    return Membership.objects.filter(
        account=actor.account, role=Membership.Role.MANAGER, state=Membership.State.ACTIVE
    ).exists()


def _touch(token: ApiToken) -> None:
    now = timezone.now()
    stale = Q(last_used_at=None) | Q(last_used_at__lt=now - TOUCH_EVERY)
    if token.last_used_at is None or now - token.last_used_at > TOUCH_EVERY:
        with suppress(OperationalError):  # a full disk fails no read
            ApiToken.objects.filter(stale, pk=token.pk).update(last_used_at=now)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _associated(token: ApiToken) -> bytes:
    return labelled("token-bundle", token.pk.bytes, token.user_id.bytes)
