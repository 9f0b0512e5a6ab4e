"""Users, accounts, institutions, and the directory that the chain's events build."""

from accounts.models.directory import Admission, Affiliation, PublishedKey
from accounts.models.errands import Errand
from accounts.models.institutions import Institution, Invitation, Membership, SealedKey
from accounts.models.marks import Mark
from accounts.models.notifications import Notification
from accounts.models.tokens import ApiToken
from accounts.models.users import Account, User
from accounts.models.vaults import OpenVault, Vault

__all__ = [
    "Account",
    "Admission",
    "Affiliation",
    "ApiToken",
    "Errand",
    "Institution",
    "Invitation",
    "Mark",
    "Membership",
    "Notification",
    "OpenVault",
    "PublishedKey",
    "SealedKey",
    "User",
    "Vault",
]
