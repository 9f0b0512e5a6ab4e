"""The people of the story with their browsers, and what several steps do."""

from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.story.portal import StoryPortal, days_from_now
from tests.story.visitor import Visitor

HOSPITAL = "Ruby Hospital"
PATIENTS = "Patients who gave you access"


class Story:
    """Everybody, and what one step leaves to the next."""

    def __init__(self, chromium: Browser, portal: StoryPortal) -> None:
        self.portal = portal
        self._chromium = chromium
        self.admin = self._visitor("Ann Admin", "ann@example.org")
        self.manager = self._visitor("Max Ward", "max@ruby.example")
        self.doctor = self._visitor("Dana Reed", "dana@ruby.example")
        self.other_doctor = self._visitor("Eve Stone", "eve@ruby.example")
        self.patient = self._visitor("Asha Verma", "asha@example.org")
        self.newcomer = self._visitor("Ben Carter", "ben@example.org")
        self.record = ""  # the page of the blood report

    def _visitor(self, name: str, email: str) -> Visitor:
        return Visitor(self._chromium, self.portal.url, self.portal.mailbox, name, email)

    def close(self) -> None:
        """Close every browser; a page whose script failed fails the test."""
        everybody = (self.admin, self.manager, self.doctor, self.other_doctor, self.patient, self.newcomer)
        for visitor in everybody:
            visitor.close()
        assert [problem for visitor in everybody for problem in visitor.problems] == []

    def file(self, name: str, content: bytes) -> Path:
        """A file on somebody's disk."""
        path = self.portal.var.parent / name
        path.write_bytes(content)
        return path

    def invite_doctor(self, doctor: Visitor) -> None:
        """The manager invites; the doctor registers (and checks the phrase later) and accepts."""
        manager = self.manager
        manager.fill(email=doctor.email)
        manager.click("Mail the invitation", twice=True)
        manager.sees(doctor.email)
        doctor.register(self.portal.mailbox.take_link(doctor.email), phrase_later=True)
        doctor.click("Accept the invitation", twice=True)
        doctor.sees("Not affiliated with an institution yet")

    def affiliate(self, doctor: Visitor) -> None:
        """The manager affiliates the doctor on the chain and hands over the institution's sharing seed."""
        manager = self.manager
        manager.page.reload()
        button = manager.main.get_by_role("button", name=f"Affiliate {doctor.name}")
        manager.reloads_until(button)
        button.dblclick()
        line = manager.region("Doctors").get_by_role("listitem").filter(has_text=doctor.name)
        expect(line.locator(".state")).to_have_text("affiliated")
        doctor.reloads_until(doctor.main.get_by_role("link", name="Request access"))
        doctor.sees(HOSPITAL)

    def share_folder(self, patient: Visitor, doctor: Visitor, *, permissions: str) -> None:
        """The patient grants the first folder without having been asked, through the hospital."""
        patient.go("/sharing/new/")
        patient.fill(grantee=doctor.address)
        patient.click("Continue")
        patient.choose(what="folders", folders="1", permissions=permissions)
        patient.main.locator('[name="via"]').select_option(label=HOSPITAL)
        patient.fill(expires_at=days_from_now(10))
        patient.click("Continue to the confirmation")
        patient.click("Sign and give access", twice=True)
        patient.sees("Signed. Access opens once it is confirmed.")
