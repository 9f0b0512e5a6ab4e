"""The account and the patient that a page showed, signed into every form and script of that page."""

from dataclasses import dataclass
from typing import cast

from django.core.signing import BadSignature, Signer
from django.http import HttpRequest

from accounts.directory import parse_address
from accounts.errors import BadAddress
from accounts.requests import PortalRequest

FIELD = "page_binding"
HEADER = "X-Page-Binding"
_SALT = "accounts.page-binding"


@dataclass(frozen=True)
class PageBinding:
    """As whom a page acts ("" for a user without an account), and of which patient its address speaks."""

    account: str
    patient: str = ""

    def __str__(self) -> str:
        return Signer(salt=_SALT).sign_object([self.account, self.patient])

    def fits(self, request: "PageBinding") -> bool:
        """Whether a request may go on: the same account, and no other patient."""
        same_patient = not (self.patient and request.patient) or self.patient == request.patient
        return self.account == request.account and same_patient


def page_binding(request: HttpRequest) -> PageBinding:
    """Return the account that acts now, and the patient that this address names."""
    actor = getattr(request, "actor", None)
    return PageBinding(actor.address if actor else "", _patient_in_address(request))


def sent_binding(request: HttpRequest) -> PageBinding | None:
    """Return what a form's hidden field or a script's header says, or None for what we have not signed."""
    text = request.headers.get(HEADER) or request.POST.get(FIELD, "")
    try:
        account, patient = Signer(salt=_SALT).unsign_object(text)
    except (BadSignature, ValueError):
        return None
    return PageBinding(account, patient)


def is_own(request: HttpRequest, binding: PageBinding) -> bool:
    """Whether the page was one of the person who is signed in now."""
    user = cast(PortalRequest, request).user
    return user.is_authenticated and user.accounts.filter(address=binding.account).exists()


def _patient_in_address(request: HttpRequest) -> str:
    match = request.resolver_match
    named = match.kwargs.get("address") if match else None
    try:
        return parse_address(named or request.GET.get("patient", ""))
    except BadAddress:
        return ""
