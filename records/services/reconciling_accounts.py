"""Whether the keys that accounts and institutions hold are those that the chain has published."""

from collections.abc import Iterator

from django.db.models import Max

from accounts.models import Account, Errand, Institution, PublishedKey, SealedKey, Vault
from accounts.services.errands import add_errand
from accounts.services.institution_keys import leave_errand_for_managers
from accounts.services.vaults import INDEXES
from chain.models import Act
from chain.reconcile.run import Check, Finding, Repair, RunOptions, row_chunks

PUBLISH_OWN, PUBLISH_INSTITUTION = "publish-key", "publish-institution-key"


def find_foreign_vaults(options: RunOptions) -> Iterator[Finding]:
    """Vaults whose phrase's first key is not their user's first account."""
    for vaults in row_chunks(Vault.objects.all(), options):
        users = {vault.user_id: vault for vault in vaults}
        first = Account.objects.filter(user__in=users, index=INDEXES[Account.Kind.PATIENT])
        for account in first.filter(kind=Account.Kind.PATIENT):
            vault = users[account.user_id] if account.user_id else None
            if vault is not None and vault.root != account.address:
                yield Finding(f"vault {vault.pk}", f"is of another phrase than account {account.pk}")


def find_key_differences(options: RunOptions) -> Iterator[Finding]:
    """Accounts whose newest sharing key is not the one that the chain has."""
    for accounts in row_chunks(Account.objects.select_related("institution"), options):
        addresses = [account.address for account in accounts]
        newest = PublishedKey.objects.filter(account__in=addresses).values("account")
        published = dict(newest.annotate(last=Max("version")).values_list("account", "last"))
        waiting = Act.objects.waiting().of_kind("PublishKey", "ReplaceKeys").filter(author__in=addresses)
        coming = set(waiting.values_list("author", flat=True))
        for account in accounts:
            last = published.get(account.address, 0)
            if last > account.key_version:
                what = f"the chain has version {last} of its sharing key, this portal {account.key_version}"
                yield Finding(f"account {account.pk}", what)
            elif last < account.key_version and account.address not in coming and not _is_asked(account):
                what = (
                    f"version {account.key_version} of its sharing key is not published, and nobody is asked"
                )
                yield Finding(f"account {account.pk}", what, _publishing(account))


def find_foreign_seeds(options: RunOptions) -> Iterator[Finding]:
    """Sealed seeds of an institution that are not of the key which the chain has of that version."""
    seeds = SealedKey.objects.filter(kind=SealedKey.Kind.SEED).select_related("institution").defer("sealed")
    for rows in row_chunks(seeds, options):
        places = {row.institution.address for row in rows}
        keys = PublishedKey.objects.filter(account__in=places).values_list("account", "version", "digest")
        published = {(account, version): digest for account, version, digest in keys}
        for row in rows:
            known = published.get((row.institution.address, row.version))
            if known is not None and known != row.digest:
                what = f"is not of version {row.version} as its institution has published it"
                yield Finding(f"sealed key {row.pk}", what)


CHECKS = (
    Check("R401", "vaults are of another phrase than their accounts", find_foreign_vaults),
    Check("R402", "sharing keys differ from the published ones", find_key_differences),
    Check("R403", "sealed seeds are of other keys than the published ones", find_foreign_seeds),
)


def _is_asked(account: Account) -> bool:
    """Whether an errand to publish the key is open."""
    subject = (
        f"{account.institution_id}:{account.key_version}" if _is_institution(account) else account.address
    )
    kinds = (PUBLISH_OWN, PUBLISH_INSTITUTION)
    return Errand.objects.filter(kind__in=kinds, subject=subject, state=Errand.State.OPEN).exists()


def _is_institution(account: Account) -> bool:
    return account.kind == Account.Kind.INSTITUTION


def _publishing(account: Account) -> Repair:
    def publish() -> str:
        if _is_institution(account):
            institution = Institution.objects.get(accounts=account)
            leave_errand_for_managers(institution, PUBLISH_INSTITUTION, str(account.key_version))
            return "its managers are asked"
        add_errand(account=account.address, kind=PUBLISH_OWN, subject=account.address)
        return "its owner is asked"

    return publish
