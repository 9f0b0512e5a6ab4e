"""The demo's story, told through the same services as the portal's pages, on the real chain."""

from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from accounts.actor import Actor
from accounts.crypto.bundle import KeyBundle
from accounts.errors import AccountsError
from accounts.models import Account, Institution, Membership, User
from accounts.notifications import unsent_mails
from accounts.services import admissions, affiliations, errands, invitations, signup, vaults
from chain.errors import ChainError
from records.chain_words import word
from records.demo import cast
from records.demo.cast import AMARA, ASHA, BEN, CHIARA, HELEN, LAKESIDE, PASSWORD, RUBY, TOMAS, File, Person
from records.demo.progress import Progress, wait_for_chain
from records.errors import Conflict, RecordsError
from records.services import (
    consent,
    documents,
    folders,
    grants,
    reading,
    requests,
    revocations,
    sharing,
    uploads,
)

CHAIN_SECONDS = 180.0
GENERAL = 1


class DemoWaits(Exception):
    """The demo cannot go on now (say, the chain does not answer). It goes on at the next start."""


def seed_demo() -> bool:
    """Make what is missing of the demo. False if the portal has people of its own. Raises DemoWaits."""
    progress = Progress(Path(settings.VAR) / "demo.json")
    people = User.objects
    if not people.exists():
        progress.begin()
    elif not (progress.begun and people.filter(email=cast.ADMINISTRATOR.email).exists()):
        return False
    try:
        with unsent_mails():
            story = _Story()
            for chapter in (
                story.people,
                story.affiliations,
                story.requests,
                story.answers,
                story.afterwards,
            ):
                progress.once(chapter)
    except (AccountsError, ChainError, RecordsError) as error:
        raise DemoWaits(f"the demo is not complete: {error} It goes on at the next start.") from error
    return True


class _Story:
    """The chapters. What the next one builds on, the chain has confirmed at a chapter's end."""

    def __init__(self) -> None:
        self._keys: dict[str, tuple[User, KeyBundle]] = {}

    def people(self) -> None:
        """Everybody signs up. Institutions are founded and admitted. Patients upload what they have."""
        if not User.objects.filter(email=cast.ADMINISTRATOR.email).exists():
            signup.create_administrator(
                email=cast.ADMINISTRATOR.email, name=cast.ADMINISTRATOR.name, password=PASSWORD
            )
        for patient in (ASHA, BEN, CHIARA):
            self._sign_up_patient(patient)
        for name, manager in ((RUBY, HELEN), (LAKESIDE, TOMAS)):
            institution = self._found(name, manager)
            admissions.admit_institution(institution=institution, admitted=True)
        for name, doctor in ((RUBY, HELEN), (RUBY, AMARA), (LAKESIDE, TOMAS)):
            self._join(name, doctor, Membership.Role.DOCTOR)
        heart = self._folder(ASHA, "Heart")
        self._upload(cast.BLOOD_REPORT, to=ASHA, folder=GENERAL)
        self._upload(cast.ECG_STRIP, to=ASHA, folder=heart)
        self._upload(cast.RADIOGRAPH, to=ASHA, folder=heart)
        self._upload(cast.BLOOD_COUNTS, to=ASHA, folder=GENERAL)
        self._upload(cast.DISCHARGE_SUMMARY, to=BEN, folder=GENERAL)
        self._upload(cast.SUGAR_REPORT, to=BEN, folder=GENERAL)
        self._upload(cast.SUGAR_DIARY, to=BEN, folder=GENERAL)
        self._upload(cast.VACCINATIONS, to=CHIARA, folder=GENERAL)
        wait_for_chain()

    def affiliations(self) -> None:
        """The managers affiliate their doctors."""
        for name, manager, doctor in ((RUBY, HELEN, HELEN), (RUBY, HELEN, AMARA), (LAKESIDE, TOMAS, TOMAS)):
            affiliations.affiliate_doctor(
                actor=self._doctor(manager),
                institution=Institution.objects.get(name=name),
                doctor=self._doctor(doctor).address,
            )
        wait_for_chain()
        for person in (HELEN, TOMAS):
            errands.run_errands(self._doctor(person))

    def requests(self) -> None:
        """Doctors ask. Ben shares with a whole hospital unasked; a letter arrives in Asha's inbox."""
        self._ask(AMARA, ASHA, note="Before our appointment on the tenth.", permissions="write", days=90)
        self._ask(TOMAS, ASHA, note="For the second opinion you asked about.", permissions="read", days=30)
        self._ask(HELEN, CHIARA, note="A survey of vaccinations.", permissions="read", days=14)
        self._grant(BEN, _address(RUBY), via=_address(RUBY), days=180)
        self._grant(BEN, self._doctor(TOMAS).address, via=_address(LAKESIDE), days=60)
        self._upload(cast.REFERRAL_LETTER, to=ASHA, by=TOMAS, via=LAKESIDE)
        wait_for_chain()

    def answers(self) -> None:
        """Asha grants what Amara asked for. Chiara refuses. Tomas's request stays open."""
        amara = self._doctor(AMARA).address
        asked = _open_request(self._patient(ASHA), amara)
        self._grant(ASHA, amara, via=_address(RUBY), days=90, permissions="write", request=asked)
        chiara = self._patient(CHIARA)
        asked = _open_request(chiara, self._doctor(HELEN).address)
        requests.deny_request(actor=chiara, request=asked, reason="I would rather not take part.")
        wait_for_chain()

    def afterwards(self) -> None:
        """Amara reads what she may and adds a note. Ben takes Tomas's access back."""
        amara, asha = self._doctor(AMARA), self._patient(ASHA).address
        for record in documents.list_records(actor=amara, patient=asha, via=_address(RUBY)):
            opened = reading.open_content(actor=amara, record=record.record)
            for _ in opened.iterate(0, opened.size):
                pass
        self._upload(cast.CONSULTATION_NOTE, to=ASHA, by=AMARA, via=RUBY, folder=GENERAL)
        revocations.revoke_access(
            actor=self._patient(BEN),
            grantee=self._doctor(TOMAS).address,
            via=_address(LAKESIDE),
            scope=word(GENERAL),
        )
        wait_for_chain()

    def _folder(self, patient: Person, name: str) -> int:
        actor = self._patient(patient)
        there = {folder.name: folder.number for folder in folders.list_folders(actor=actor)}
        return there[name] if name in there else folders.create_folder(actor=actor, name=name)

    def _upload(
        self, file: File, *, to: Person, by: Person | None = None, via: str = "", folder: int | None = None
    ) -> None:
        patient = self._patient(to)
        titles = [view.title for view in documents.list_records(actor=patient, patient=patient.address)]
        if file.title in titles:
            return
        actor, content = self._doctor(by) if by else patient, file.make()
        described = uploads.describe_upload(
            actor=actor,
            patient=patient.address,
            title=file.title,
            kind=file.kind,
            service_date=file.service_date,
            folder=folder,
            via=_address(via) if via else "",
            file_name=file.name,
            media_type=file.media_type,
            size=len(content),
        )
        uploads.receive_upload(actor=actor, upload_id=described.id, stream=[content], length=len(content))

    def _ask(self, doctor: Person, patient: Person, *, note: str, permissions: str, days: int) -> None:
        with suppress(Conflict):  # asked already, before an interruption
            requests.request_access(
                actor=self._doctor(doctor),
                patient=self._patient(patient).address,
                via=_address(LAKESIDE if doctor is TOMAS else RUBY),
                purpose="TREAT",
                kinds=[],
                permissions=permissions,
                days=days,
                note=note,
            )

    def _grant(
        self,
        patient: Person,
        grantee: str,
        *,
        via: str,
        days: int,
        permissions: str = "read",
        request: str | None = None,
    ) -> None:
        actor = self._patient(patient)
        if any(given.grantee == grantee and given.via == via for given in sharing.grants_by(actor=actor)):
            return
        proposal = grants.propose_grant(
            actor=actor,
            grantee=grantee,
            via=via,
            folders=[GENERAL],
            permissions=permissions,
            expires_at=timezone.now() + timedelta(days=days),
            request=request,
        )
        grants.grant_access(actor=actor, proposal=proposal)

    def _sign_up_patient(self, person: Person) -> None:
        if not User.objects.filter(email=person.email).exists():
            signup.create_person(
                email=person.email,
                name=person.name,
                date_of_birth=person.born,
                password=PASSWORD,
                phrase_confirmed=True,
            )

    def _found(self, name: str, manager: Person) -> Institution:
        institution = Institution.objects.filter(name=name).first() or invitations.create_institution(
            name=name
        )
        self._join(name, manager, Membership.Role.MANAGER)
        institution.refresh_from_db()
        return institution

    def _join(self, name: str, person: Person, role: str) -> None:
        institution = Institution.objects.get(name=name)
        if institution.memberships.filter(user__email=person.email, role=role).exists():
            return
        secret = invitations.invite_member(
            institution=institution, email=person.email, role=role, invited_by=None
        )
        if User.objects.filter(email=person.email).exists():
            user, bundle = self._open(person)
            invitations.accept_invitation(secret=secret, user=user, bundle=bundle)
            return
        invitations.register_member(
            secret=secret,
            name=person.name,
            date_of_birth=person.born,
            password=PASSWORD,
            phrase_confirmed=True,
        )

    def _open(self, person: Person) -> tuple[User, KeyBundle]:
        if person.email not in self._keys:
            user = User.objects.get(email=person.email)
            self._keys[person.email] = user, vaults.open_with_password(user, PASSWORD)
        return self._keys[person.email]

    def _actor(self, person: Person, kind: str) -> Actor:
        """Made anew each time: an actor remembers what its institutions were."""
        user, bundle = self._open(person)
        return next(actor for actor in signup.actors_of(user, bundle) if actor.kind == kind)

    def _patient(self, person: Person) -> Actor:
        return self._actor(person, Account.Kind.PATIENT)

    def _doctor(self, person: Person) -> Actor:
        return self._actor(person, Account.Kind.PRACTITIONER)


def _address(institution: str) -> str:
    return Institution.objects.get(name=institution).address


def _open_request(patient: Actor, author: str) -> str:
    """The id of this author's request to the patient."""
    return next(view.id for view in consent.requests_for(actor=patient) if view.author == author)
