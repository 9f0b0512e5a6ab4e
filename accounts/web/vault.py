"""The closed vault, and the recovery phrase."""

import secrets
from urllib.parse import urlencode

from allauth.account.adapter import get_adapter
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts.crypto.phrase import phrase_of
from accounts.errors import VaultClosed, VaultStale, WrongSecret
from accounts.forms import PasswordForm, PhraseForm, WordsForm
from accounts.models import Vault
from accounts.requests import PortalRequest
from accounts.services import errands, signup, vaults
from accounts.sign_in.events import SecurityEvent, log, record
from accounts.sign_in.pending_vault import forget_unopened, is_unopened
from accounts.web.access import go_next, next_url, signed_in
from accounts.web.kept_forms import KeptForm, kept_form, show_kept_form

ASKED_BACK = 3


@never_cache
@sensitive_post_parameters("password", "phrase", "current_password")
@require_http_methods(["GET", "POST"])
@signed_in
def open_vault(request: PortalRequest) -> HttpResponse:
    """Ask for the password or the phrase, open the vault, and go back."""
    vault = Vault.objects.filter(user=request.user).first()
    if vault is None or request.vault.is_open(request.user):
        return _go_on(request)
    by_phrase = "phrase" in request.POST
    password_form = PasswordForm(request.POST if request.method == "POST" and not by_phrase else None)
    phrase_form = PhraseForm(request.POST if by_phrase else None, user=request.user)
    if by_phrase:
        is_open = phrase_form.is_valid() and _open_by_phrase(request, phrase_form)
    else:
        is_open = password_form.is_valid() and _open_by_password(request, password_form)
    if is_open:
        run_waiting_errands(request)
        return _go_on(request)
    context = {
        "password_form": password_form,
        "phrase_form": phrase_form,
        "stale": vault.stale,
        "first": is_unopened(request.session),
        "by_phrase": by_phrase or vault.stale,
        "next": next_url(request),
        "kept": kept_form(request),
    }
    return render(request, "accounts/vault.html", context, status=400 if request.method == "POST" else 200)


def ask_for_vault(request: PortalRequest, form: KeptForm, *, back: str) -> HttpResponse:
    """Answer a form that came while the vault was closed: ask for the password, and carry the form."""
    stale = Vault.objects.filter(user=request.user, stale=True).exists()
    context = {
        "password_form": PasswordForm(),
        "phrase_form": PhraseForm(user=request.user),
        "stale": stale,
        "by_phrase": stale,
        "next": back,
        "kept": form,
    }
    return render(request, "accounts/vault.html", context, status=403)


@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
@signed_in
def show_phrase(request: PortalRequest) -> HttpResponse:
    """Ask for the password, open the vault, and show the phrase (until it is confirmed)."""
    vault = Vault.objects.filter(user=request.user).first()
    if vault is None:
        return go_next(request)
    if vault.phrase_confirmed_at is not None:
        return render(request, "accounts/phrase_confirmed.html", {"vault": vault})
    form = PasswordForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and _open_by_password(request, form):
        phrase = phrase_of(vaults.open_entropy(request.user, form.cleaned_data["password"])).split()
        places = sorted(secrets.SystemRandom().sample(range(1, len(phrase) + 1), ASKED_BACK))
        request.vault.keep_phrase_check(request.user, {place: phrase[place - 1] for place in places})
        Vault.objects.filter(pk=vault.pk, phrase_shown_at=None).update(phrase_shown_at=timezone.now())
        # The first time is the person's own sign-up.
        tell = log if vault.phrase_shown_at is None else record
        tell(SecurityEvent.PHRASE_SHOWN, request.user, request)
        run_waiting_errands(request)
        numbered = list(enumerate(phrase, start=1))
        return render(request, "accounts/phrase.html", {"words": numbered, "next": next_url(request)})
    status = 400 if request.method == "POST" else 200
    context = {"form": form, "first": vault.phrase_shown_at is None, "next": next_url(request)}
    return render(request, "accounts/phrase_password.html", context, status=status)


@never_cache
@require_http_methods(["GET", "POST"])
@signed_in
def check_phrase(request: PortalRequest) -> HttpResponse:
    """Ask three words back."""
    vault = Vault.objects.filter(user=request.user).first()
    if vault is None or vault.phrase_confirmed_at is not None:
        return go_next(request)
    phrase_words = request.vault.phrase_check(request.user)
    if phrase_words is None:
        return HttpResponseRedirect(f"{reverse('accounts:phrase')}?{urlencode({'next': next_url(request)})}")
    form = WordsForm(request.POST or None, words=phrase_words)
    if request.method == "POST" and form.is_valid():
        Vault.objects.filter(pk=vault.pk).update(phrase_confirmed_at=timezone.now())
        messages.success(request, "Your recovery phrase is confirmed. Keep it safe.")
        return go_next(request)
    context = {"form": form, "next": next_url(request)}
    status = 400 if request.method == "POST" else 200
    return render(request, "accounts/phrase_check.html", context, status=status)


def run_waiting_errands(request: PortalRequest) -> None:
    """Run the tasks that waited for these keys, now that they are open."""
    bundle = request.vault.bundle(request.user)
    if bundle is not None:
        for actor in signup.actors_of(request.user, bundle):
            errands.run_errands(actor)


def _go_on(request: PortalRequest) -> HttpResponse:
    """Go back to where the person was; where a form waits for the vault, send that."""
    form = kept_form(request)
    if form is None:
        return go_next(request)
    text = "Your vault is open again."
    return show_kept_form(request, form, title="Send it now", text=text, status=200, at_once=True)


def _open_by_password(request: PortalRequest, form: PasswordForm) -> bool:
    # Through the adapter: it counts failures, and opens the vault with the password that passes.
    try:
        passed = get_adapter().reauthenticate(request.user, form.cleaned_data["password"])
    except ValidationError as error:
        form.add_error("password", error)
        return False
    if not passed:
        form.add_error("password", "That is not your password.")
    elif not request.vault.is_open(request.user):
        form.add_error("password", str(VaultStale()))
    return request.vault.is_open(request.user)


def _open_by_phrase(request: PortalRequest, form: PhraseForm) -> bool:
    data = form.cleaned_data
    try:
        if not get_adapter().reauthenticate(request.user, data["current_password"]):
            raise WrongSecret("That is not your password.")
        bundle = vaults.open_with_phrase(request.user, data["phrase"], data["current_password"])
    except ValidationError as error:
        form.add_error("current_password", error)
        return False
    except (WrongSecret, VaultClosed) as error:
        form.add_error("current_password", str(error))
        return False
    request.vault.open(request.user, bundle)
    forget_unopened(request.session)
    request.session.cycle_key()
    record(SecurityEvent.PHRASE_USED, request.user, request)
    return True
