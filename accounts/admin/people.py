"""Users, accounts and errands, to look at. People sign up by themselves; nobody's keys are here."""

from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.db import transaction
from django.db.models import Count, QuerySet
from django.http import HttpRequest

from accounts import directory
from accounts.models import Account, ApiToken, Errand, Notification, User
from accounts.sign_in.events import SecurityEvent, record
from chain.admin import PastedSearchMixin, ReadOnlyAdmin


class AccountInline(admin.TabularInline):  # type: ignore[type-arg]
    """The accounts a user acts with."""

    model = Account
    fields = readonly_fields = ("kind", "address", "generation", "key_version", "created_at")
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Accounts come from a phrase, which is not here."""
        return False


@admin.register(User)
class UserAdmin(PastedSearchMixin, admin.ModelAdmin):  # type: ignore[type-arg]
    """Who signs in. Names and sign-in can be corrected; passwords and vaults cannot be seen or set."""

    list_display = ("email", "name", "account_count", "vault_state", "is_active", "is_staff", "date_joined")
    list_filter = ("is_active", "is_staff", "accounts__kind", "date_joined")
    search_fields = ("email", "name", "accounts__address")
    fields = (
        ("email", "name", "date_of_birth"),
        ("is_active", "is_staff", "is_superuser"),
        "groups",
        ("vault_state", "last_login", "date_joined"),
    )
    readonly_fields = ("email", "vault_state", "last_login", "date_joined")
    filter_horizontal = ("groups",)
    inlines = (AccountInline,)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:  # noqa: ARG002
        """Only a superuser makes administrators."""
        powers = ("is_staff", "is_superuser", "groups")
        return self.readonly_fields + (() if getattr(request.user, "is_superuser", False) else powers)

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """With what the list shows, in one query."""
        found: QuerySet[User] = super().get_queryset(request)
        return found.select_related("vault").annotate(how_many=Count("accounts", distinct=True))

    @admin.display(description="accounts", ordering="how_many")
    def account_count(self, user: User) -> int:
        """How many accounts the user acts with."""
        return int(getattr(user, "how_many", 0))

    @admin.display(description="vault")
    def vault_state(self, user: User) -> str:
        """Whether there is a vault, and whether its phrase was written down. Never what is in it."""
        vault = getattr(user, "vault", None)
        if vault is None:
            return "none"
        if vault.stale:
            return "closed since a reset"
        return "phrase confirmed" if vault.phrase_confirmed_at else "phrase not confirmed"

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Save, and tell the person of what an administrator changed in what he or she may do."""
        with transaction.atomic():
            super().save_model(request, obj, form, change)
            if set(form.changed_data) & {"is_active", "is_staff", "is_superuser", "groups"}:
                record(SecurityEvent.POWERS_CHANGED, obj, request, by=request.user.pk)

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        """People register by themselves; administrators are made by `manage.py createsuperuser`."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """A user's records may outlive the sign-in; deactivate instead."""
        return False


@admin.register(Account)
class AccountAdmin(ReadOnlyAdmin):
    """Addresses that act."""

    list_display = ("address", "kind", "holder", "key_version", "published", "created_at")
    list_filter = ("kind", "created_at")
    search_fields = ("address", "user__email", "user__name", "institution__name")
    list_select_related = ("user", "institution")

    @admin.display(description="of")
    def holder(self, account: Account) -> str:
        """The user or institution behind it."""
        return str(account.user or account.institution)

    @admin.display(description="key published", boolean=True)
    def published(self, account: Account) -> bool:
        """Whether the chain has confirmed a sharing key."""
        return directory.has_published_key(account.address)


@admin.register(Errand)
class ErrandAdmin(ReadOnlyAdmin):
    """What waits for somebody's keys."""

    list_display = ("kind", "account", "state", "attempts", "created_at", "tried_at", "settled_at")
    list_filter = ("state", "kind", "created_at")
    search_fields = ("account", "subject")


@admin.register(Notification)
class NotificationAdmin(ReadOnlyAdmin):
    """Mails: what waits and why, and what the mail server refused. Texts with codes or links are sealed."""

    list_display = ("template", "address", "created_at", "sent_at", "ended_as", "attempts", "problem")
    list_filter = ("ended_as", "template", "created_at")
    search_fields = ("to", "user__email")
    fields = (
        "template",
        "address",
        ("created_at", "expires_at", "due_at"),
        ("sent_at", "ended_at", "ended_as"),
        ("attempts", "problem"),
    )
    list_select_related = ("user",)


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    """API tokens: whose, what for, until when. They can be ended here, never read."""

    list_display = (
        "name",
        "user",
        "account",
        "scope",
        "created_at",
        "expires_at",
        "last_used_at",
        "revoked_at",
    )
    list_filter = ("scope", "expires_at", "revoked_at")
    search_fields = ("name", "user__email", "account__address")
    fields = ("name", "user", "account", "scope", "created_at", "expires_at", "last_used_at", "revoked_at")
    list_select_related = ("user", "account")
    actions = ("revoke",)

    def has_end_permission(self, request: HttpRequest) -> bool:
        """Whoever may change tokens by Django's permissions; the pages themselves are to read."""
        return request.user.has_perm("accounts.change_apitoken")

    @admin.action(description="End the selected tokens", permissions=["end"])
    def revoke(self, request: HttpRequest, queryset: "QuerySet[ApiToken]") -> None:
        """End tokens at once."""
        with transaction.atomic():
            ended = list(queryset.filter(revoked_at=None).select_related("user"))
            ApiToken.objects.filter(pk__in=[token.pk for token in ended]).end()
            for token in ended:
                record(SecurityEvent.TOKEN_ENDED, token.user, request, by=request.user.pk)
        self.message_user(request, f"{len(ended)} ended.")


admin.site.unregister(Authenticator)  # allauth's page shows the secret of a second factor


@admin.register(Authenticator)
class AuthenticatorAdmin(ReadOnlyAdmin):
    """Second factors, without their secrets. One is deleted for a person who has lost it."""

    list_display = fields = ("user", "type", "created_at", "last_used_at")
    list_filter = ("type",)
    search_fields = ("user__email",)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever may delete one by Django's permissions."""
        return admin.ModelAdmin.has_delete_permission(self, request, obj)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Delete one, and tell its person."""
        with transaction.atomic():
            record(SecurityEvent.FACTOR_REMOVED_BY_ADMINISTRATOR, obj.user, request, by=request.user.pk)
            super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> None:
        """Delete several, one by one: each person is told."""
        for factor in queryset.select_related("user"):
            self.delete_model(request, factor)


admin.site.unregister(EmailAddress)  # allauth's page adds and verifies addresses of others


@admin.register(EmailAddress)
class EmailAddressAdmin(ReadOnlyAdmin):
    """Who is reached where. People add, verify and remove their addresses themselves, with their password."""

    list_display = fields = ("email", "user", "primary", "verified")
    list_filter = ("primary", "verified")
    search_fields = ("email", "user__email", "user__name")
    list_select_related = ("user",)
