"""The admin's lists of the chain: to be read, and without secrets."""

from typing import Any

import pytest
from django.contrib import admin
from django.template.response import TemplateResponse
from django.test import RequestFactory

from accounts.models import User
from chain.models import Act, Attempt, Block, Cursor, Event, Sender, Transaction
from tests.chain_node import ChainNode, fresh_person

MODELS = [Act, Attempt, Block, Cursor, Event, Sender, Transaction]


@pytest.fixture
def request_by_admin(db: None) -> Any:
    """A request by a superuser."""
    del db
    request = RequestFactory().get("/admin/")
    request.user = User(email="root@example.org", is_staff=True, is_superuser=True)
    return request


@pytest.mark.parametrize("model", MODELS)
def test_lists_are_shown_and_nothing_can_be_changed(
    chain: ChainNode, request_by_admin: Any, model: Any
) -> None:
    chain.new_record(fresh_person())
    chain.settle()
    listed = admin.site.get_model_admin(model)
    page = listed.changelist_view(request_by_admin)
    assert isinstance(page, TemplateResponse)
    page.render()
    assert page.status_code == 200
    assert listed.has_view_permission(request_by_admin)
    assert not listed.has_add_permission(request_by_admin)
    assert not listed.has_change_permission(request_by_admin)
    assert not listed.has_delete_permission(request_by_admin)


@pytest.mark.parametrize("model", MODELS)
def test_signed_bytes_are_not_shown(request_by_admin: Any, model: Any) -> None:
    listed = admin.site.get_model_admin(model)
    assert not {"raw", "signature", "lease"} & set(listed.get_fields(request_by_admin))
