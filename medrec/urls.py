"""Every address of the portal, by app."""

from django.contrib import admin
from django.urls import include, path

handler400 = "medrec.errors.bad_request"
handler403 = "medrec.errors.permission_denied"
handler404 = "medrec.errors.not_found"
handler500 = "medrec.errors.server_error"

urlpatterns = [
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.urls")),
    path("api/v1/", include("records.api.urls")),
    path("", include("accounts.web.urls")),
    path("", include("records.web.urls")),
]
