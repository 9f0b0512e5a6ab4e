"""A list of records as a timeline: what is looked for, in months, page by page."""

from dataclasses import dataclass
from itertools import groupby

from django.core.paginator import Page, Paginator
from django.http import HttpRequest

from records.services.searching import choose_records, day_of, in_order
from records.shapes import RecordView
from records.web.forms.searching import SearchForm

ON_A_PAGE = 50
CLOSED_MAX = 100


@dataclass(frozen=True)
class Timeline:
    """What a page of the list shows."""

    form: SearchForm
    looked_for: list[str]  # in words; empty: everything is shown
    months: list[tuple[str, list[RecordView]]]
    page: Page[RecordView]
    total: int  # without looking for anything
    closed: list[RecordView]
    closed_count: int


def timeline_of(request: HttpRequest, records: list[RecordView], *, folders: bool) -> Timeline:
    """Build the timeline. Search words come by POST, so that they stand in no address, history or log."""
    form = SearchForm(request.POST or None, records=records, folders=folders)
    conditions, number, looked_for = None, 1, []
    if form.is_bound and form.is_valid():
        conditions, number = form.wanted, form.cleaned_data["page"] or 1
        looked_for = form.words(conditions)
    matching = choose_records(records, conditions) if conditions else records
    open_ones = in_order(record for record in matching if not record.closed)
    closed = in_order(record for record in matching if record.closed)
    page = Paginator(open_ones, ON_A_PAGE).get_page(number)
    months = [
        (name, list(group)) for name, group in groupby(page.object_list, lambda each: f"{day_of(each):%B %Y}")
    ]
    total = sum(not record.closed for record in records)
    return Timeline(form, looked_for, months, page, total, closed[:CLOSED_MAX], len(closed))
