"""Django admin for people and institutions. No secret is shown; sign-in goes through allauth."""

from allauth.account.decorators import secure_admin_login
from django.contrib import admin

from accounts.admin import institutions, people

__all__ = ["institutions", "people"]

admin.site.site_header = "MedRec administration"
admin.site.site_title = "MedRec administration"
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
