"""Addresses of the accounts' pages."""

from django.urls import path

from accounts.web import institutions, key_tasks, profile, second_factor, tokens, vault

app_name = "accounts"

PAGE = "institutions/<uuid:institution_id>/"

urlpatterns = [
    path("profile/", profile.show_profile, name="profile"),
    path("profile/patient-account/", profile.open_patient_account, name="open-patient-account"),
    path("switch/", profile.switch_account, name="switch"),
    path("errands/", profile.list_errands, name="errands"),
    path("key-tasks/", key_tasks.run_key_tasks, name="key-tasks"),
    path("phrase/", vault.show_phrase, name="phrase"),
    path("phrase/check/", vault.check_phrase, name="phrase-check"),
    path("vault/", vault.open_vault, name="vault-open"),
    path("second-factor/", second_factor.ask_for_factor, name="second-factor"),
    path("tokens/", tokens.list_tokens, name="tokens"),
    path("tokens/<uuid:token_id>/revoke/", tokens.revoke_token, name="token-revoke"),
    path("invitations/<str:secret>/", institutions.show_invitation, name="invitation"),
    path(PAGE, institutions.show_institution, name="institution"),
    path(PAGE + "invite/", institutions.invite, name="institution-invite"),
    path(PAGE + "affiliate/", institutions.affiliate, name="institution-affiliate"),
    path(PAGE + "leave/", institutions.leave, name="institution-leave"),
]
