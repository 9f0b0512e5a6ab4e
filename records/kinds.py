"""Kinds of records and purposes of requests: codes that FHIR systems know, words that people know.

Kinds are LOINC document codes (FHIR DocumentReference.type). Purposes are from HL7 v3 PurposeOfUse
(http://terminology.hl7.org/CodeSystem/v3-ActReason), as FHIR Consent.provision.purpose has them.
"""

from typing import Final

KINDS: Final[dict[str, str]] = {
    "8716-3": "Measurements",
    "11502-2": "Laboratory report",
    "18748-4": "Imaging report or image",
    "18842-5": "Discharge summary",
    "11488-4": "Consultation note",
    "11506-3": "Progress note",
    "34117-2": "History and physical",
    "11504-8": "Operation note",
    "11526-1": "Pathology report",
    "11524-6": "ECG",
    "57833-6": "Prescription",
    "10160-0": "Medication list",
    "11369-6": "Vaccination record",
    "48765-2": "Allergies",
    "57133-1": "Referral letter",
    "59284-0": "Consent form",
    "52034-6": "Insurance document",
    "51899-3": "Other document",
}

PURPOSES: Final[dict[str, str]] = {
    "TREAT": "Treatment",
    "CAREMGT": "Care management",
    "COC": "Coordination of care",
    "ETREAT": "Emergency treatment",
    "CLINTRCH": "Clinical trial",
    "HRESCH": "Research",
    "HPAYMT": "Payment and insurance",
    "PUBHLTH": "Public health",
    "PATRQT": "The patient asked for it",
}

MEASUREMENTS: Final = "8716-3"

KIND_CHOICES: Final[list[tuple[str, str]]] = sorted(KINDS.items(), key=lambda item: item[1])
PURPOSE_CHOICES: Final[list[tuple[str, str]]] = list(PURPOSES.items())
