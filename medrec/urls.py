"""Every address of the portal, by app."""

from django.contrib import admin
from django.urls import include, path

handler400 = "records.web.doors.refuse_request"

urlpatterns = [
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.urls")),
    path("api/v1/", include("records.api.urls")),
    path("", include("accounts.web.urls")),
    path("", include("records.web.urls")),
]
