"""The story of MedRec, as four people live it in their browsers, on the whole running system."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.story.cast import HOSPITAL, PATIENTS, Story
from tests.story.portal import StoryPortal, days_from_now, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.slow]

BLOOD = b"%PDF-1.7 haemoglobin 11.1 g/dl\n" * 9000  # four chunks and a bit
BLOOD_2, LETTER = BLOOD + b"ferritin 9 ug/l", b"Dear colleague, she takes iron now."
LATER, LATE = b"platelets 250 G/l", b"creatinine 0.9 mg/dl"
KIND, NOTE = "11502-2", "11488-4"  # laboratory report, consultation note


@pytest.fixture(scope="module")
def story(chromium: Browser, portal: StoryPortal) -> Iterator[Story]:
    portal.make_administrator("ann@example.org")
    told = Story(chromium, portal)
    yield told
    told.close()


def test_1_an_institution_is_made_and_its_manager_invited(story: Story) -> None:
    admin, manager = story.admin, story.manager
    admin.sign_in("/admin/")
    admin.fill(code=story.portal.mailbox.take_code(admin.email))
    admin.click("Confirm")
    page = admin.page
    admin.go("/admin/accounts/institution/add/")
    page.locator("#id_name").fill(HOSPITAL)
    page.locator('[name="invitations-0-email"]').fill(manager.email)
    page.locator('[name="_save"]').dblclick()
    expect(page.get_by_text("was added successfully")).to_be_visible()
    assert page.locator("#result_list tbody tr").count() == 1

    manager.register(story.portal.mailbox.take_link(manager.email))
    manager.click("Accept the invitation", twice=True)
    manager.sees(HOSPITAL, "holds the keys", re.compile("0x[0-9a-fA-F]{40}"))


def test_1_the_administrator_admits_the_institution_on_the_chain(story: Story) -> None:
    page = story.admin.page
    story.admin.go("/admin/accounts/institution/")
    page.locator('[name="_selected_action"]').check()
    page.locator('select[name="action"]').select_option("admit")
    page.get_by_role("button", name="Go").dblclick()
    expect(page.get_by_text(f"The admission of {HOSPITAL} is signed and on its way.").first).to_be_visible()
    row = page.locator("#result_list tbody tr", has_text="admitted")
    story.admin.reloads_until(row)
    page.goto("/admin/chain/act/")
    expect(page.locator("#result_list tbody tr", has_text="AdmitInstitution")).to_have_count(1)
    story.manager.page.reload()
    expect(story.manager.page.locator("#admission")).to_have_text("admitted")


def test_1_a_doctor_is_invited_and_affiliated(story: Story) -> None:
    story.invite_doctor(story.doctor)
    expect(story.doctor.page.get_by_text("Your recovery phrase has not been checked yet")).to_be_visible()
    story.affiliate(story.doctor)
    story.manager.shoot("institution")


def test_2_a_patient_registers_and_has_an_address(story: Story) -> None:
    patient = story.patient
    patient.register()
    patient.learn_address()
    patient.sees(patient.name, "born 17 May 1980")
    expect(patient.main.get_by_alt_text("QR code of your address")).to_be_visible()
    expect(patient.main.locator("dt", has_text="Acts on the chain").locator("+ dd")).to_have_text("1")
    patient.shoot("profile")


def test_2_who_is_a_doctor_can_be_a_patient_too(story: Story) -> None:
    doctor = story.doctor
    doctor.learn_address()
    doctor.click("Open a patient account", twice=True)
    doctor.sees("acting as patient")
    expect(doctor.main.locator("#own-address")).not_to_have_text(doctor.address)
    doctor.act_as("doctor")
    doctor.go("/")
    doctor.sees("My patients")


def test_3_the_patient_uploads_a_blood_report(story: Story) -> None:
    patient = story.patient
    patient.upload(
        "/records/upload/",
        story.file("blood.pdf", BLOOD),
        title="Blood report, spring",
        kind=KIND,
        service_date="2026-03-02",
        folder="1",
        nonce="dice: 4 1 6 2",
    )
    story.record = patient.page.url
    patient.sees("Waiting for confirmation")
    patient.sees_confirmed()
    patient.sees(re.compile(r"Block\s+\d+"), re.compile("0x[0-9a-f]{64}"))
    patient.shoot("record")
    patient.go("/records/")
    assert patient.main.get_by_role("link", name="Blood report, spring").count() == 1


def test_3_bad_files_are_refused_before_anything_is_sent(story: Story) -> None:
    patient = story.patient
    patient.go("/records/upload/")
    patient.page.locator("#file").set_input_files(story.file("empty.pdf", b""))
    patient.sees("This file is empty.")
    patient.page.locator("#file").set_input_files(story.file("good.pdf", BLOOD))
    patient.main.get_by_text("Your own randomness").click()
    patient.fill(title="Too long a nonce", kind=KIND, nonce="ä" * 33)  # 66 bytes: no browser counts those
    patient.click("Encrypt and save")
    patient.sees("Something has to be corrected.")
    patient.shoot("upload-refused")
    patient.go("/records/")
    patient.sees_no("Too long a nonce")


def test_4_the_doctor_asks_for_access(story: Story) -> None:
    doctor, patient = story.doctor, story.patient
    wrong = patient.address[:-1] + ("0" if patient.address[-1] != "0" else "1")
    doctor.go("/requests/new/")
    doctor.fill(patient=wrong)
    doctor.click("Send the request")
    expect(doctor.main.locator(".field-error, .invalid-feedback, [role=alert]").first).to_be_visible()
    doctor.fill(patient=f"ethereum:{patient.address}", purpose="TREAT", days="60", note="Your anaemia")
    doctor.main.get_by_text("Only some kinds of records").click()
    doctor.choose(kinds=KIND, permissions="write")
    doctor.click("Send the request", twice=True)
    doctor.sees("Your anaemia", "Confirmed")
    doctor.go("/requests/")
    doctor.sees("Waits for an answer")
    assert doctor.main.get_by_role("listitem").count() == 1
    patient.go("/")
    patient.reloads_until(patient.main.get_by_text(doctor.name))
    patient.sees("Waiting for your answer", HOSPITAL, "Treatment", "60 days")
    assert patient.main.get_by_role("link", name="Answer").count() == 1
    patient.shoot("home-asked")


def test_4_a_request_by_email_reaches_somebody_new_who_refuses(story: Story) -> None:
    doctor, newcomer = story.doctor, story.newcomer
    doctor.go("/requests/new/")
    doctor.fill(patient=newcomer.email, purpose="COC", days="5", note="Your knee")
    doctor.click("Send the request", twice=True)
    doctor.sees("Sent. You will see the answer here.")
    link = story.portal.mailbox.take_link(newcomer.email)
    newcomer.go(link)
    newcomer.sees("A doctor asks to see medical records of yours")
    newcomer.sees_no("Your knee", doctor.name)
    newcomer.follow("Register")
    newcomer.register(newcomer.page.url)
    newcomer.learn_address()
    newcomer.go(link)
    newcomer.sees("Your knee", f"{doctor.name} asks for access", "Coordination of care")
    newcomer.follow("Refuse")
    newcomer.fill(reason="My knee is well again")
    newcomer.click("Refuse the request", twice=True)
    newcomer.sees("You refused the request.")
    doctor.go("/requests/")
    assert doctor.main.get_by_role("listitem").count() == 2
    doctor.sees("Denied")
    doctor.follow(newcomer.email)
    doctor.sees("My knee is well again")
    doctor.sees_no(newcomer.address)


def test_5_the_patient_narrows_it_and_signs(story: Story) -> None:
    patient, doctor = story.patient, story.doctor
    patient.go("/")
    patient.follow("Look")
    patient.sees("Your anaemia", "read, add and modify", story.doctor.name)
    patient.follow("Choose what to share")
    patient.choose(what="folders", folders="1", permissions="read")
    patient.fill(expires_at="2020-01-01")
    patient.click("Continue to the confirmation")
    expect(patient.main.locator(".field-error, [role=alert]").first).to_be_visible()
    patient.fill(expires_at=days_from_now(30))
    patient.click("Continue to the confirmation")
    patient.sees("This is what you sign", doctor.name, "General", "The portal sends it, and pays for it")
    patient.sees(HOSPITAL)
    patient.main.get_by_text("The message itself (EIP-712)").first.click()
    patient.sees("GrantAccess")
    patient.shoot("grant-confirm")
    patient.click("Sign and give access", twice=True)
    patient.sees("Signed. Access opens once it is confirmed.")
    assert patient.main.get_by_role("link", name="Revoke access of").count() == 1


def test_6_the_doctor_reads_and_the_patient_sees_the_view(story: Story) -> None:
    patient, doctor = story.patient, story.doctor
    doctor.go("/")
    doctor.reloads_until(doctor.region(PATIENTS).get_by_role("link", name=patient.name))
    doctor.sees(patient.address, "General", re.compile(r"\b(30|31)\s+days\s+left"))
    doctor.shoot("doctor-home")
    doctor.follow(patient.name)
    doctor.follow("Blood report, spring")
    assert doctor.page.url == story.record
    opened = doctor.open_file(doctor.main.get_by_role("link", name="Save the file"))
    assert opened == ("blood.pdf", BLOOD)
    patient.go("/history/")
    patient.sees(re.compile(rf"{doctor.name}\s+opened"), "Blood report, spring")
    patient.shoot("history")


def test_7_without_write_permission_the_doctor_cannot_modify(story: Story) -> None:
    doctor = story.doctor
    doctor.go(story.record)
    doctor.sees("Blood report, spring")
    assert doctor.main.get_by_role("link", name="Edit description").count() == 0
    for page in ("edit/", "versions/new/"):
        assert doctor.go(story.record + page).status == 403
        doctor.sees("You may read this record, not change it.")


def test_7_with_write_permission_the_doctor_adds_and_modifies(story: Story) -> None:
    patient, doctor = story.patient, story.doctor
    story.share_folder(patient, doctor, permissions="write")
    doctor.go("/")
    doctor.reloads_until(doctor.region(PATIENTS).get_by_text("(write)"))
    doctor.follow(patient.name)
    doctor.follow("Add a record")
    letter = story.file("letter.txt", LETTER)
    doctor.upload(doctor.page.url, letter, title="Letter of March", kind=NOTE, folder="1")
    doctor.sees(re.compile(HOSPITAL))
    doctor.sees_confirmed()
    mended = story.file("blood2.pdf", BLOOD_2)
    doctor.upload(f"{story.record}versions/new/", mended, title="Blood report, mended")
    doctor.sees("Blood report, mended")
    doctor.sees_confirmed()
    for visitor in (doctor, patient):
        visitor.go(story.record)
        versions = visitor.region("Versions")
        expect(versions.get_by_role("listitem")).to_have_count(2)
        for place, content in ((0, BLOOD_2), (1, BLOOD)):
            assert visitor.open_file(versions.get_by_role("link", name="Save").nth(place))[1] == content
    patient.shoot("versions")
    patient.go("/records/folders/1/")
    assert patient.main.get_by_role("link", name="Letter of March").count() == 1
    patient.sees(re.compile(rf"by\s+{doctor.name}"))


def test_7_without_any_grant_a_record_lands_in_the_inbox(story: Story) -> None:
    doctor, newcomer = story.doctor, story.newcomer
    for title in ("A letter to file", "A letter to refuse"):
        doctor.go("/records/leave/")
        doctor.fill(patient=newcomer.address)
        doctor.click("Continue")
        doctor.sees(re.compile(r"the\s+record\s+goes\s+into\s+the\s+inbox"))
        doctor.upload(doctor.page.url, story.file("letter.txt", LETTER), title=title, kind=NOTE)
        doctor.sees_confirmed()
    newcomer.go("/")
    newcomer.reloads_until(
        newcomer.region("Left for you by doctors").get_by_role("link", name="A letter to file")
    )
    newcomer.go("/inbox/")
    newcomer.shoot("inbox")
    newcomer.card("A letter to file").get_by_role("button", name="File").dblclick()
    newcomer.sees("Filed.")
    newcomer.card("A letter to refuse").get_by_role("button", name="Refuse").dblclick()
    newcomer.sees("Refused. It is kept under closed records.", "Nothing waits here.")
    newcomer.go("/records/folders/1/")
    newcomer.follow("A letter to file")
    assert newcomer.open_file(newcomer.main.get_by_role("link", name="Save the file"))[1] == LETTER
    filed = newcomer.page.url
    wait_for(lambda: doctor.go(filed).status == 404, "the filing, which ends the author's own view")


def test_8_after_a_revoke_the_very_next_request_is_refused(story: Story) -> None:
    patient, doctor, other = story.patient, story.doctor, story.other_doctor
    story.invite_doctor(other)
    story.affiliate(other)
    other.learn_address()
    story.share_folder(patient, other, permissions="read")
    other.go("/")
    other.reloads_until(other.region(PATIENTS).get_by_role("link", name=patient.name))
    doctor.go(story.record)
    doctor.sees("Blood report, mended")
    patient.go("/sharing/")
    patient.follow(f"Revoke access of {doctor.name}")
    patient.shoot("revoke")
    patient.click("Sign and revoke", twice=True)
    patient.sees("Revoked. From now on every look is refused.")
    assert doctor.go(story.record).status == 403
    doctor.sees("You have no access", "How to ask again")
    assert doctor.main.get_by_role("link", name="Request access").count() == 1
    doctor.shoot("refused")
    doctor.go("/")
    doctor.sees("No patient has given you access yet.")


def test_8_those_who_keep_access_read_on_after_the_folder_has_moved(story: Story) -> None:
    patient, doctor, other = story.patient, story.doctor, story.other_doctor
    patient.go("/history/")
    lines = patient.main.get_by_role("listitem")
    patient.reloads_until(lines.filter(has_text="took access back").filter(has_text="block"))
    patient.reloads_until(lines.filter(has_text="changed a folder's key").filter(has_text="block"))
    patient.upload(
        "/records/upload/", story.file("later.txt", LATER), title="After it", kind=KIND, folder="1"
    )
    later = patient.page.url
    patient.sees_confirmed()
    assert doctor.go(later).status in (403, 404)
    doctor.sees_no("After it")
    for path, content in ((later, LATER), (story.record, BLOOD_2)):
        other.go(path)
        assert other.open_file(other.main.get_by_role("link", name="Save the file"))[1] == content


def test_9_after_kill_9_of_everything_all_is_there_and_what_waited_is_confirmed(story: Story) -> None:
    patient, portal = story.patient, story.portal
    portal.stop_worker()
    patient.upload("/records/upload/", story.file("late.txt", LATE), title="Before the crash", kind=KIND)
    waiting = patient.page.url
    patient.sees("Waiting for confirmation")
    portal.kill()
    portal.start()
    patient.go(waiting)
    patient.sees("Before the crash", re.compile(r"Block\s+\d+"))
    patient.sees_confirmed()
    assert patient.open_file(patient.main.get_by_role("link", name="Save the file"))[1] == LATE
    patient.go("/records/folders/1/")
    for title in ("Before the crash", "After it", "Letter of March", "Blood report, mended"):
        assert patient.main.get_by_role("link", name=title).count() == 1
    assert story.doctor.go(story.record).status == 403
    story.other_doctor.go("/")
    story.other_doctor.sees(patient.name)
