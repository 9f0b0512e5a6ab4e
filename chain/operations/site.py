"""The admin's site: Django's, with the operations page among the chain's entries."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import URLPattern, URLResolver, path, reverse

from chain.operations import views
from chain.operations.actions import SEE


class PortalAdminSite(admin.AdminSite):
    """Sign-in, second factor and permissions are those of every other page of the admin."""

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """With the operations page and its confirmations."""
        folder = "chain/operations"
        return [
            path(f"{folder}/", self.admin_view(views.show), name="chain_operations"),
            path(f"{folder}/read-again/", self.admin_view(views.read_again), name="chain_read_again"),
            path(f"{folder}/<slug:name>/<int:pk>/", self.admin_view(views.operate), name="chain_operate"),
            *super().get_urls(),
        ]

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Return the app list. The chain's entry begins with its operations, for those who may see them."""
        app_list: list[Any] = super().get_app_list(request, app_label)
        for app in app_list:
            if app["app_label"] == "chain" and request.user.has_perm(SEE):
                app["models"].insert(0, _entry())
        return app_list


def _entry() -> dict[str, Any]:
    return {
        "name": "Operations",
        "object_name": "Operations",
        "admin_url": reverse("admin:chain_operations"),
        "add_url": None,
        "view_only": True,
        "perms": {"add": False, "change": False, "delete": False, "view": True},
    }
