"""The demo's files are what their media types say."""

import io

import pydicom
import pytest
from PIL import Image

from records.demo import cast
from records.demo.cast import EVERYBODY, PASSWORD, File
from records.kinds import KINDS
from records.observations.charts import draw_chart
from records.observations.reading import read_observations
from records.observations.series import gather_series
from tests.records.observations.test_series import SOURCE

FILES = [value for value in vars(cast).values() if isinstance(value, File)]


def test_there_are_files_of_four_kinds() -> None:
    types = {"application/pdf", "image/png", "application/dicom", "application/fhir+json"}
    assert {file.media_type for file in FILES} == types


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_file_opens_as_what_it_says_it_is(file: File) -> None:
    content = file.make()
    if file.media_type == "application/pdf":
        assert content.startswith(b"%PDF-")
        assert content.rstrip().endswith(b"%%EOF")
    elif file.media_type == "image/png":
        image = Image.open(io.BytesIO(content))
        image.load()
        assert image.width > 1000
    elif file.media_type == "application/fhir+json":
        series = gather_series((one, SOURCE) for one in read_observations(content, strict=True).observations)
        assert all(draw_chart(each) for each in series)
    else:
        data = pydicom.dcmread(io.BytesIO(content))
        assert data.PatientName == "Verma^Asha"
        assert len(data.PixelData) == data.Rows * data.Columns
        assert len(set(data.PixelData)) > 50
    assert file.kind in KINDS


def test_the_password_is_one_that_the_portal_takes() -> None:
    assert len(PASSWORD) >= 12
    assert len({person.email for person in EVERYBODY}) == len(EVERYBODY)
