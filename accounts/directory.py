"""Who stands behind an address, and which keys and affiliations the chain confirms."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from django.db.models import Exists, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Concat

from accounts.errors import BadAddress, NoPublishedKey, UnusableKey
from accounts.models import Account, Admission, Affiliation, Institution, PublishedKey, SealedKey
from chain.models import Act, Event
from chain.models.bulk import rows_in
from chain.node.client import check_key
from chain.support.pasted_text import NotAnAddress, plain_address


@dataclass(frozen=True)
class PublicKey:
    """A version of an account's sharing key: 1,217 bytes, and their keccak256 digest."""

    account: str
    generation: int
    version: int
    key: bytes
    digest: str


@dataclass(frozen=True)
class Person:
    """What a page says about an address."""

    address: str
    name: str
    kind: str
    institutions: list[str] = field(default_factory=list)
    key_fingerprint: str = ""
    known: bool = True

    @property
    def name_if_known(self) -> str:
        """The name, or nothing where `name` is no more than a short form of the address."""
        return self.name if self.known else ""


def parse_address(text: str) -> str:
    """Return the address in what somebody typed, pasted or scanned. Raises BadAddress."""
    try:
        return plain_address(text)
    except NotAnAddress as error:
        raise BadAddress(str(error)) from error


def find_account(text: str) -> Account | None:
    """The account with exactly this address, if the portal knows it. Raises BadAddress."""
    return Account.objects.select_related("user", "institution").filter(address=parse_address(text)).first()


def known_accounts(addresses: Iterable[str]) -> set[str]:
    """Those of the addresses that are accounts of this portal."""
    return {row.address for row in rows_in(Account.objects.only("address"), "address", set(addresses))}


def public_key(address: str) -> PublicKey:
    """The newest confirmed sharing key, checked against the contract's state.

    A key that cannot be used is none, and the one that it replaced is not used either. Raises NoPublishedKey,
    UnusableKey, chain.node.client.KeyMismatch or chain.node.client.ChainUnavailable.
    """
    row = PublishedKey.objects.filter(account=address).order_by("-version").first()
    if row is None:
        raise NoPublishedKey(address)
    if not row.usable:
        raise UnusableKey(address)
    key = bytes(row.key)
    check_key(address, key)
    return PublicKey(address, row.generation, row.version, key, row.digest)


def has_published_key(address: str) -> bool:
    """Whether a usable sharing key of this account is confirmed (nothing is asked of the node)."""
    return address in newest_digests([address])


def newest_digests(addresses: Iterable[str]) -> dict[str, str]:
    """The digest of each account's newest confirmed sharing key; who has none, or an unusable one, is left
    out."""
    return {account: row.digest for account, row in newest_keys(addresses).items() if row.usable}


def newest_keys(addresses: Iterable[str]) -> dict[str, PublishedKey]:
    """Each account's newest confirmed sharing key, usable or not, without its bytes."""
    keys = PublishedKey.objects.defer("key").order_by("version")
    return {row.account: row for row in rows_in(keys, "account", set(addresses))}


def unusable_keys(addresses: Iterable[str]) -> set[str]:
    """Those of the accounts whose newest sharing key cannot be used: nothing reaches them."""
    return {account for account, row in newest_keys(addresses).items() if not row.usable}


def mended_keys(events: Iterable[Event]) -> set[str]:
    """The accounts that have published a usable key after one that cannot be used."""
    versions: dict[str, list[PublishedKey]] = {}
    keys = PublishedKey.objects.defer("key").order_by("version")
    for row in rows_in(keys, "account", {event.author for event in events}):
        versions.setdefault(row.account, []).append(row)
    return {who for who, rows in versions.items() if [row.usable for row in rows[-2:]] == [False, True]}


def unnamed(address: str, key_fingerprint: str = "") -> Person:
    """What is said of an address that nobody here has, or whose owner the reader may not know."""
    name = f"{address[:8]}…{address[-6:]}"
    return Person(address=address, name=name, kind="", key_fingerprint=key_fingerprint, known=False)


def fingerprint(digest: str) -> str:
    """The first 16 hex digits of a key's digest in groups of four, for people to compare."""
    digits = digest.removeprefix("0x")[:16].upper()
    return " ".join(digits[at : at + 4] for at in range(0, len(digits), 4))


def key_fingerprints(addresses: Iterable[str]) -> dict[str, str]:
    """The fingerprint of each account's newest usable sharing key, for people to compare."""
    return {address: fingerprint(digest) for address, digest in newest_digests(addresses).items()}


def person_of(address: str) -> Person:
    """Name, kind, institutions and key fingerprint of one address."""
    return people_of([address])[address]


def people_of(addresses: Iterable[str]) -> dict[str, Person]:
    """The same for many, in a handful of queries. Unknown addresses are there too, with known=False."""
    people = names_of(addresses)
    fingerprints = key_fingerprints(people)
    places = _institution_names({at for at, person in people.items() if person.kind != Account.Kind.PATIENT})
    return {
        address: replace(
            person,
            institutions=places.get(address, []),
            key_fingerprint=fingerprints.get(address, ""),
        )
        for address, person in people.items()
    }


def names_of(addresses: Iterable[str], known: Iterable[Account] = ()) -> dict[str, Person]:
    """The same in one query, without institutions and keys; in none where all the accounts are known."""
    wanted = set(addresses)
    by_address = {account.address: account for account in known}
    if missing := wanted - set(by_address):
        accounts = rows_in(Account.objects.select_related("user", "institution"), "address", missing)
        by_address |= {account.address: account for account in accounts}
    people = {}
    for address in wanted:
        account = by_address.get(address)
        people[address] = (
            Person(address=address, name=_name_of(account), kind=account.kind)
            if account
            else unnamed(address)
        )
    return people


def affiliations_of(doctor: str) -> list[Institution]:
    """Institutions with which this doctor is affiliated now, and that are admitted."""
    return list(Institution.objects.filter(address__in=_current(doctor).values("institution")))


def places_of(doctor: str) -> dict[str, bool]:
    """Return the admitted institutions with which this doctor is affiliated now, known here or not.

    Of each, whether the doctor was sealed its sharing seeds.
    """
    sealed = SealedKey.objects.filter(recipient=doctor, kind=SealedKey.Kind.SEED)
    places = _current(doctor).annotate(
        has_seeds=Exists(sealed.filter(institution__address=OuterRef("institution")))
    )
    return dict(places.values_list("institution", "has_seeds"))


def is_affiliated(institution: str, doctor: str) -> bool:
    """Confirmed affiliation and admission, less what narrows them at the head or waits to do so."""
    return _current(doctor).filter(institution=institution).exists()


def _current(doctor: str) -> QuerySet[Affiliation]:
    """Anybody may affiliate any doctor: what is not admitted is left out here, in one statement."""
    admitted = Admission.objects.filter(institution=OuterRef("institution"), admitted=True)
    admission = Concat(Value("institution:"), OuterRef("institution"))
    affiliation = Concat(Value("affiliation:"), OuterRef("institution"), Value(":"), OuterRef("doctor"))
    ended = Q(name="DoctorAffiliated", args__affiliated=False) | Q(name="InstitutionLeft")
    ending = Q(kind="AffiliateDoctor", fields__affiliated=False) | Q(kind="LeaveInstitution")
    events, acts = Event.objects.pending(), Act.objects.waiting()
    return Affiliation.objects.filter(
        Exists(admitted),
        ~Exists(events.filter(name="InstitutionAdmitted", slot=admission, args__admitted=False)),
        ~Exists(acts.filter(kind="AdmitInstitution", slot=admission, fields__admitted=False)),
        ~Exists(events.filter(ended, slot=affiliation)),
        ~Exists(acts.filter(ending, slot=affiliation)),
        doctor=doctor,
        affiliated=True,
    )


def is_admitted(institution: str) -> bool:
    """Confirmed admission, less a suspension at the head or under way."""
    return institution in admitted_among([institution])


def admitted_among(institutions: Iterable[str]) -> set[str]:
    """Return those of the institutions that are admitted."""
    slot = Concat(Value("institution:"), OuterRef("institution"))
    ending = Event.objects.pending().filter(name="InstitutionAdmitted", slot=slot, args__admitted=False)
    ends = Act.objects.waiting().of_kind("AdmitInstitution").filter(slot=slot, fields__admitted=False)
    admitted = Admission.objects.filter(~Exists(ending), ~Exists(ends), admitted=True)
    return {row.institution for row in rows_in(admitted, "institution", set(institutions))}


def _name_of(account: Account) -> str:
    if account.institution is not None and account.user is None:
        return account.institution.name
    return str(account.user)


def _institution_names(addresses: set[str]) -> dict[str, list[str]]:
    """By doctor, his or her institutions, suspended ones too. Those never admitted may be anybody's."""
    judged = Exists(Admission.objects.filter(institution=OuterRef("institution")))
    rows = list(rows_in(Affiliation.objects.filter(judged, affiliated=True), "doctor", addresses))
    known = rows_in(Institution.objects.only("address", "name"), "address", {row.institution for row in rows})
    names = {place.address: place.name for place in known}
    places: dict[str, list[str]] = {}
    for row in rows:
        places.setdefault(row.doctor, []).append(names.get(row.institution, row.institution))
    return places
