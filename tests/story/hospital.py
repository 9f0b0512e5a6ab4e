"""A hospital with a doctor, made by the pages alone: step 1 of the story for those without a screen."""

import re
from dataclasses import dataclass

from tests.story.plain import Answer, Api, PlainVisitor
from tests.story.portal import StoryPortal, wait_for

NAME = "Ruby Hospital"
FIRST_MANAGER = {
    "invitations-TOTAL_FORMS": "1",
    "invitations-INITIAL_FORMS": "0",
    "invitations-0-role": "manager",
    "memberships-TOTAL_FORMS": "0",
    "memberships-INITIAL_FORMS": "0",
}


@dataclass(frozen=True)
class Hospital:
    """An admitted institution, its page, its manager, and a doctor who is affiliated."""

    address: str
    page: str
    administrator: PlainVisitor
    manager: PlainVisitor
    doctor: PlainVisitor
    api: Api  # the doctor's


def open_hospital(portal: StoryPortal) -> Hospital:
    """Created and admitted by the administrator, run by its manager, who affiliates a doctor."""
    administrator = _administrator(portal)
    manager = PlainVisitor(portal.url, portal.mailbox, "Max Ward", "max@ruby.example")
    fields = FIRST_MANAGER | {"name": NAME, "invitations-0-email": manager.email}
    made = administrator.post("/admin/accounts/institution/add/", **fields)
    assert "was added successfully" in made.text, made.text
    page = manager.accept(portal.mailbox.take_link(manager.email))
    path = page.url.removeprefix(portal.url)
    _admit(administrator, manager, path)

    doctor = PlainVisitor(portal.url, portal.mailbox, "Dana Reed", "dana@ruby.example")
    invited = manager.post(f"{path}invite/", path, email=doctor.email, role="doctor")
    assert invited.status == 200, invited.text
    doctor.accept(portal.mailbox.take_link(doctor.email))
    api = doctor.make_token()
    _affiliate(manager, path, api.address)
    return Hospital(_address(page), path, administrator, manager, doctor, api)


def _administrator(portal: StoryPortal) -> PlainVisitor:
    administrator = PlainVisitor(portal.url, portal.mailbox, "Ann Admin", "ann@example.org")
    portal.make_administrator(administrator.email)
    administrator.sign_in()
    administrator.enter_code()
    return administrator


def _admit(administrator: PlainVisitor, manager: PlainVisitor, path: str) -> None:
    institutions = "/admin/accounts/institution/"
    (row,) = re.findall(r'name="_selected_action"\s+value="([^"]+)"', administrator.go(institutions).text)
    said = administrator.post(institutions, action="admit", _selected_action=row)
    assert "is signed and on its way" in said.text, said.text
    admitted = re.compile(r'id="admission">\s*admitted\s*<')
    wait_for(lambda: admitted.search(manager.go(path).text), "the admission")


def _affiliate(manager: PlainVisitor, path: str, doctor: str) -> None:
    wait_for(lambda: "Affiliate<" in manager.go(path).text, "the doctor's key")
    manager.post(f"{path}affiliate/", path, doctor=doctor)
    wait_for(lambda: re.search(r">\s*affiliated\s*<", manager.go(path).text), "the affiliation")


def _address(page: Answer) -> str:
    found = re.search(r'class="address">(0x[0-9a-fA-F]{40})<', page.text)
    assert found, page.text
    return found[1]
