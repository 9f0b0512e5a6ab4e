"""Who is in the demo, and the files that they have."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from records.demo.images import chest_radiograph, ecg_strip
from records.demo.measured import ashas_measurements, bens_measurements
from records.demo.people import (
    ADMINISTRATOR,
    AMARA,
    ASHA,
    BEN,
    CHIARA,
    EVERYBODY,
    HELEN,
    LAKESIDE,
    PASSWORD,
    RUBY,
    TOMAS,
    Person,
)
from records.demo.reports import Measurement, laboratory_report, letter
from records.kinds import MEASUREMENTS
from records.observations.model import Observation
from records.observations.writing import MEDIA_TYPE, write_observations

__all__ = [  # the people, for who asks for them here
    "ADMINISTRATOR",
    "AMARA",
    "ASHA",
    "BEN",
    "CHIARA",
    "EVERYBODY",
    "HELEN",
    "LAKESIDE",
    "PASSWORD",
    "RUBY",
    "TOMAS",
    "Person",
]

LABORATORY, IMAGING, DISCHARGE, CONSULTATION = "11502-2", "18748-4", "18842-5", "11488-4"
ECG, VACCINATION, REFERRAL = "11524-6", "11369-6", "57133-1"


@dataclass(frozen=True)
class File:
    """A file of the demo, made when it is needed."""

    title: str
    kind: str
    service_date: date
    name: str
    media_type: str
    make: Callable[[], bytes]


def _pdf(title: str, kind: str, day: date, name: str, make: Callable[[], bytes]) -> File:
    return File(title, kind, day, name, "application/pdf", make)


def _measured(title: str, day: date, name: str, make: Callable[[], list[Observation]]) -> File:
    return File(title, MEASUREMENTS, day, name, MEDIA_TYPE, lambda: write_observations(make()))


BLOOD_REPORT = _pdf(
    "Blood report, spring check",
    LABORATORY,
    date(2026, 3, 2),
    "blood-report.pdf",
    lambda: laboratory_report(
        institution=RUBY,
        patient=ASHA.name,
        taken_on=date(2026, 3, 2),
        heading="Blood report",
        measurements=[
            Measurement("Haemoglobin", 11.1, "g/dl", 12.0, 15.5),
            Measurement("Leucocytes", 6.4, "10^9/l", 4.0, 10.0),
            Measurement("Platelets", 262, "10^9/l", 150, 400),
            Measurement("Ferritin", 9, "ug/l", 15, 150),
            Measurement("Glucose, fasting", 92, "mg/dl", 70, 100),
            Measurement("Creatinine", 0.8, "mg/dl", 0.5, 1.1),
            Measurement("Cholesterol, LDL", 118, "mg/dl", 0, 116),
        ],
    ),
)
ECG_STRIP = File("ECG at rest", ECG, date(2026, 3, 9), "ecg.png", "image/png", ecg_strip)
RADIOGRAPH = File(
    "Chest radiograph",
    IMAGING,
    date(2026, 3, 9),
    "chest.dcm",
    "application/dicom",
    lambda: chest_radiograph(patient=ASHA.name, taken_on=date(2026, 3, 9), institution=RUBY),
)
CONSULTATION_NOTE = _pdf(
    "Consultation: tiredness",
    CONSULTATION,
    date(2026, 3, 10),
    "consultation.pdf",
    lambda: letter(
        institution=RUBY,
        patient=ASHA.name,
        written_on=date(2026, 3, 10),
        heading="Consultation",
        paragraphs=[
            "Tired for three months, short of breath on stairs. Low ferritin, mild anaemia; heart and lungs "
            "without findings.",
            "Plan: oral iron for three months, then another blood count.",
            "Dr. Amara Okafor",
        ],
    ),
)
REFERRAL_LETTER = _pdf(
    "Letter from Lakeside Clinic",
    REFERRAL,
    date(2026, 4, 1),
    "letter.pdf",
    lambda: letter(
        institution=LAKESIDE,
        patient=ASHA.name,
        written_on=date(2026, 4, 1),
        heading="Letter",
        paragraphs=[
            "Thank you for your visit. Please bring your latest blood report next time.",
            "Dr. Tomas Novak",
        ],
    ),
)
DISCHARGE_SUMMARY = _pdf(
    "Discharge summary, knee replacement",
    DISCHARGE,
    date(2025, 10, 21),
    "discharge.pdf",
    lambda: letter(
        institution=RUBY,
        patient=BEN.name,
        written_on=date(2025, 10, 21),
        heading="Discharge summary",
        paragraphs=[
            "Total replacement of the left knee on 14 October, without complications. Wound dry, walks with "
            "two crutches.",
            "Physiotherapy three times a week; thrombosis prophylaxis for five weeks.",
        ],
    ),
)
SUGAR_REPORT = _pdf(
    "HbA1c",
    LABORATORY,
    date(2026, 1, 15),
    "hba1c.pdf",
    lambda: laboratory_report(
        institution=LAKESIDE,
        patient=BEN.name,
        taken_on=date(2026, 1, 15),
        heading="Diabetes check",
        measurements=[
            Measurement("HbA1c", 7.1, "%", 4.0, 5.6),
            Measurement("Glucose", 141, "mg/dl", 70, 100),
        ],
    ),
)
SUGAR_DIARY = _measured("Diabetes check-ups", date(2026, 1, 15), "check-ups.json", bens_measurements)
BLOOD_COUNTS = _measured("Blood counts since 2024", date(2026, 3, 2), "blood-counts.json", ashas_measurements)
VACCINATIONS = _pdf(
    "Vaccination record",
    VACCINATION,
    date(2026, 2, 4),
    "vaccinations.pdf",
    lambda: letter(
        institution=LAKESIDE,
        patient=CHIARA.name,
        written_on=date(2026, 2, 4),
        heading="Vaccination record",
        paragraphs=["Tetanus and diphtheria, booster.", "Influenza, season 2025/26."],
    ),
)
