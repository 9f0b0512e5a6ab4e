"""Institutions, their members and invitations; admitting them on the chain."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from accounts.errors import NotAllowed
from accounts.models import Institution, Invitation, Membership, User
from accounts.services import admissions, invitations
from chain.admin import PastedSearchMixin, ReadOnlyAdmin
from chain.errors import ChainError


class InvitationInline(admin.TabularInline):  # type: ignore[type-arg]
    """Invite a manager by adding a line: the mail goes out when the page is saved.

    Lines of before are a list of their own: a form that grows with them would one day be too large to send.
    """

    model = Invitation
    fields = ("email", "role", "expires_at", "accepted_at", "accepted_by")
    readonly_fields = ("expires_at", "accepted_at", "accepted_by")
    extra = 1
    can_delete = False
    verbose_name = "invitation"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Invitation]:
        """Only new lines."""
        return super().get_queryset(request).none()

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """A mailed link cannot be redirected; invite again instead."""
        return False

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        """The role proposed is the manager's: doctors are invited by their manager."""
        formset = super().get_formset(request, obj, **kwargs)
        if "role" in formset.form.base_fields:
            formset.form.base_fields["role"].initial = Membership.Role.MANAGER
        return formset


@admin.register(Institution)
class InstitutionAdmin(PastedSearchMixin, admin.ModelAdmin):  # type: ignore[type-arg]
    """Create an institution, invite its first manager, admit it on the chain once he or she has accepted."""

    list_display = ("name", "address", "on_the_chain", "members", "created_at")
    search_fields = ("name", "slug", "address")
    list_filter = ("created_at",)
    fields = ("name", "address", "on_the_chain", "call", "people", "created_at")
    readonly_fields = ("address", "on_the_chain", "call", "people", "created_at")
    inlines = (InvitationInline,)
    actions = ("admit", "suspend")

    @admin.display(description="on the chain")
    def on_the_chain(self, institution: Institution) -> str:
        """Admitted, waiting, suspended."""
        return admissions.admission_state(institution)

    @admin.display(description="active members")
    def members(self, institution: Institution) -> int:
        """How many people belong to it."""
        return institution.memberships.filter(state=Membership.State.ACTIVE).count()

    @admin.display(description="members and invitations")
    def people(self, institution: Institution) -> str | SafeString:
        """The lists of who belongs to it, and who was invited."""
        lists = {"members": "accounts_membership", "invitations": "accounts_invitation"}
        links = [
            (reverse(f"admin:{name}_changelist"), institution.pk, words) for words, name in lists.items()
        ]
        return format_html_join(", ", '<a href="{}?institution__id__exact={}">{}</a>', links)

    @admin.display(description="call that admits")
    def call(self, institution: Institution) -> str | SafeString:
        """For a wallet, where this portal does not hold the admission key."""
        if not institution.address:
            return "The institution has no keys yet: its first manager has not accepted the invitation."
        if admissions.holds_admission_key():
            return "This portal holds the admission key: use the action in the list."
        try:
            call = admissions.admission_call(institution, admitted=True, sender=institution.address)
        except ChainError as error:
            return str(error)
        return format_html(
            "Send to <code>{}</code>: <code>{}</code> with author = the sender's own address, "
            "institution = <code>{}</code>, admitted = true, serial = {}, signature empty.",
            call.contract,
            call.function,
            call.arguments["institution"],
            call.arguments["serial"],
        )

    def save_model(self, request: HttpRequest, obj: Institution, form: Any, change: bool) -> None:
        """The slug comes from the name."""
        if not obj.slug:
            obj.slug = invitations.free_slug(obj.name)
        super().save_model(request, obj, form, change)

    def save_formset(
        self,
        request: HttpRequest,
        form: Any,
        formset: Any,
        change: bool,
    ) -> None:
        """A new line of invitations is mailed through the service, which keeps only the link's digest."""
        if formset.model is not Invitation:
            super().save_formset(request, form, formset, change)
            return
        formset.new_objects, formset.changed_objects, formset.deleted_objects = [], [], []
        for line in formset.cleaned_data:
            if line and line.get("email") and not line.get("id"):
                self._invite(request, form.instance, line["email"], line["role"])

    def _invite(self, request: HttpRequest, institution: Institution, email: str, role: str) -> None:
        inviter = request.user if isinstance(request.user, User) else None
        try:
            invitations.invite_member(institution=institution, email=email, role=role, invited_by=inviter)
        except (ValidationError, OSError) as error:
            self.message_user(request, f"{email} was not invited: {error}", messages.ERROR)
        else:
            self.message_user(request, f"The invitation to {email} is on its way.")

    @admin.action(description="Admit on the chain", permissions=["change"])
    def admit(self, request: HttpRequest, queryset: "QuerySet[Institution]") -> None:
        """Sign the admission with the admission key, for each selected institution."""
        self._decide(request, queryset, admitted=True)

    @admin.action(description="Suspend on the chain", permissions=["change"])
    def suspend(self, request: HttpRequest, queryset: "QuerySet[Institution]") -> None:
        """Sign the suspension with the admission key."""
        self._decide(request, queryset, admitted=False)

    def _decide(self, request: HttpRequest, queryset: "QuerySet[Institution]", *, admitted: bool) -> None:
        for institution in queryset:
            try:
                admissions.admit_institution(institution=institution, admitted=admitted)
            except (NotAllowed, ChainError) as error:
                self.message_user(request, str(error), messages.ERROR)
            else:
                what = "admission" if admitted else "suspension"
                self.message_user(request, f"The {what} of {institution} is signed and on its way.")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Suspend it instead: the chain remembers it."""
        return False


@admin.register(Membership)
class MembershipAdmin(ReadOnlyAdmin):
    """Who belongs where."""

    list_display = ("user", "institution", "role", "state", "since")
    list_filter = ("role", "state", "institution")
    search_fields = ("user__email", "user__name", "institution__name", "account__address")
    list_select_related = ("user", "institution")


@admin.register(Invitation)
class InvitationAdmin(ReadOnlyAdmin):
    """Mailed invitations; the links themselves are kept nowhere."""

    list_display = ("email", "institution", "role", "created_at", "expires_at", "accepted_at")
    list_filter = ("role", "institution", "accepted_at")
    search_fields = ("email", "institution__name")
    fields = (
        "email",
        "institution",
        "role",
        "invited_by",
        "created_at",
        "expires_at",
        "accepted_at",
        "accepted_by",
    )
