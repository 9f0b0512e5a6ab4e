"""Who is in the demo. Nothing heavy is imported: every start looks whether they are still there."""

from dataclasses import dataclass
from datetime import date

PASSWORD = "ruby lantern orchard"  # noqa: S105 - printed on the terminal for whoever looks around


@dataclass(frozen=True)
class Person:
    """Somebody of the demo. `role` is what the list of sign-ins says."""

    name: str
    email: str
    born: date
    role: str


RUBY, LAKESIDE = "Ruby Hospital", "Lakeside Clinic"

ADMINISTRATOR = Person("Ada Morgan", "admin@medrec.example", date(1980, 1, 1), "administrator: /admin/")
HELEN = Person("Dr. Helen Brandt", "helen@ruby.example", date(1975, 9, 30), f"doctor and manager, {RUBY}")
AMARA = Person("Dr. Amara Okafor", "amara@ruby.example", date(1986, 2, 17), f"doctor, {RUBY}")
TOMAS = Person(
    "Dr. Tomas Novak", "tomas@lakeside.example", date(1979, 6, 5), f"doctor and manager, {LAKESIDE}"
)
ASHA = Person(
    "Asha Verma", "asha@patients.example", date(1988, 4, 12), "patient: shares a folder, has an inbox"
)
BEN = Person("Ben Carter", "ben@patients.example", date(1961, 11, 3), "patient: shares with a hospital")
CHIARA = Person(
    "Chiara Rossi", "chiara@patients.example", date(2001, 7, 25), "patient: has refused a request"
)

EVERYBODY = (ADMINISTRATOR, ASHA, BEN, CHIARA, HELEN, AMARA, TOMAS)
