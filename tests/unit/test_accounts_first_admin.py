"""How the first person gets in."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from apps.accounts.models import User, WelcomeLink
from apps.accounts.services import make_welcome_link
from tests.unit.accounts_people import PASSWORD, make_user

pytestmark = pytest.mark.django_db

URL = "/api/v1/welcome"


def first_admin() -> str:
    """What the command prints."""
    said = StringIO()
    call_command("first_admin", stdout=said)
    return said.getvalue()


def accept(client: Client, token: str, **changes: str) -> int:
    """Use the link; the status."""
    body = {"token": token, "email": "Ada@example.org", "password": PASSWORD, "name": "Ada", **changes}
    return client.post(URL, body, content_type="application/json").status_code


def test_the_link_makes_the_admin_and_signs_in(client: Client, settings: Settings) -> None:
    settings.AIGC_BASE_URL = "https://studio.example.org"
    line = first_admin()
    assert line.startswith("https://studio.example.org/welcome/")
    assert line.count("\n") == 1

    assert accept(client, line.strip().rpartition("/")[2]) == 201

    ada = User.objects.get()
    assert (ada.email, ada.name, ada.is_staff, ada.is_superuser) == ("ada@example.org", "Ada", True, True)
    assert client.get("/api/v1/session").json()["user"]["is_staff"] is True


def test_the_database_does_not_hold_the_token() -> None:
    token = make_welcome_link()
    assert token not in str(WelcomeLink.objects.values())


def test_the_link_works_once(client: Client) -> None:
    token = make_welcome_link()
    assert accept(client, token) == 201
    assert accept(Client(), token, email="eve@example.org") == 410
    assert User.objects.count() == 1


def test_a_second_run_replaces_an_unused_link(client: Client) -> None:
    old, new = make_welcome_link(), make_welcome_link()
    assert accept(client, old) == 410
    assert accept(client, new) == 201


def test_the_link_is_too_old_after_a_day(client: Client) -> None:
    token = make_welcome_link()
    assert timedelta(hours=23) < WelcomeLink.objects.get().expires_at - timezone.now() <= timedelta(hours=24)
    WelcomeLink.objects.update(expires_at=timezone.now())
    assert accept(client, token) == 410
    assert not User.objects.exists()


def test_a_weak_password_leaves_the_link_good(client: Client) -> None:
    token = make_welcome_link()
    assert accept(client, token, password="short") == 400
    assert accept(client, token, email="nonsense") == 400
    assert accept(client, token) == 201


def test_a_link_is_worthless_once_somebody_has_an_account(client: Client) -> None:
    token = make_welcome_link()
    make_user("grace")
    assert accept(client, token) == 410
    assert not User.objects.filter(is_staff=True).exists()


def test_a_guessed_link_is_refused_before_anything_else_is_looked_at(client: Client) -> None:
    make_welcome_link()
    assert accept(client, "guess", password="short", email="x") == 410


def test_the_database_keeps_one_unused_link() -> None:
    make_welcome_link()
    with pytest.raises(IntegrityError), transaction.atomic():
        WelcomeLink.objects.create(token_hash="other", expires_at=timezone.now())


def test_with_email_and_password_the_admin_is_made_at_once(settings: Settings) -> None:
    settings.AIGC_ADMIN_EMAIL, settings.AIGC_ADMIN_PASSWORD = "Root@example.org", PASSWORD

    assert first_admin() == "Made the first admin root@example.org.\n"

    root = User.objects.get()
    assert (root.is_staff, root.is_superuser, root.check_password(PASSWORD)) == (True, True, True)
    assert root.workspaces.count() == 1
    assert not WelcomeLink.objects.exists()


def test_with_an_account_there_is_nothing_to_do_or_say(settings: Settings) -> None:
    make_user("grace")
    settings.AIGC_ADMIN_EMAIL, settings.AIGC_ADMIN_PASSWORD = "root@example.org", PASSWORD
    assert first_admin() == ""
    assert User.objects.count() == 1


@pytest.mark.parametrize(
    ("email", "password", "sentence"),
    [
        ("root@example.org", "", "AIGC_ADMIN_PASSWORD"),
        ("", PASSWORD, "AIGC_ADMIN_EMAIL is not set"),
        ("root@example.org", "short", "cannot be made: .*too short"),
        ("root", PASSWORD, "'root' is not an email address"),
    ],
)
def test_half_or_bad_settings_are_a_sentence(
    settings: Settings, email: str, password: str, sentence: str
) -> None:
    settings.AIGC_ADMIN_EMAIL, settings.AIGC_ADMIN_PASSWORD = email, password
    with pytest.raises(CommandError, match=sentence):
        first_admin()
    assert not User.objects.exists()
