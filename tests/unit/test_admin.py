"""The admin: every list, form and search opens; nobody but staff gets in; deeds go through the services."""

from __future__ import annotations

import ast
import re

import polib
import pytest
from django.conf import settings
from django.contrib.admin.sites import site
from django.db.models import Model as DjangoModel
from django.test import Client
from django.urls import reverse
from django.utils import translation

from aigc.settings.admin_look import UNFOLD
from apps.accounts.models import ApiKey, User
from apps.accounts.services import authenticate_bearer, create_api_key
from apps.audit.models import Action, AuditEntry
from apps.catalog.models import Model
from apps.catalog.services import seed_catalog
from tests.unit.accounts_people import make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("run_redis")]

OURS = sorted(
    (model for model in site._registry if model.__module__.startswith("apps.")), key=lambda m: m.__name__
)


WORDS = settings.BASE_DIR / "aigc" / "locale" / "zh_Hans" / "LC_MESSAGES"
CHINESE = re.compile("[\u4e00-\u9fff]")
# Written alike in both languages.
SAME = {"ID", "SHA-256"}


@pytest.fixture
def root(client: Client) -> User:
    """A superuser, signed in, with a catalogue and a key."""
    user = make_user("root", is_staff=True)
    user.is_superuser = True
    user.save()
    seed_catalog()
    create_api_key(user=user, workspace_id=user.workspaces.get().pk, name="script")
    client.force_login(user)
    return user


def url(model: type[DjangoModel], page: str, *args: object) -> str:
    """The address of a page of the admin."""
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_every_list_search_and_form_opens(client: Client, model: type[DjangoModel]) -> None:
    assert client.get(url(model, "changelist")).status_code == 200
    assert client.get(url(model, "changelist"), {"q": "a"}).status_code == 200
    row = model._default_manager.first()
    if row is not None:
        assert client.get(url(model, "change", row.pk)).status_code == 200
    assert client.get(url(model, "add")).status_code in {200, 403}


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_a_list_speaks_the_language_that_the_studio_was_set_to(
    client: Client, model: type[DjangoModel]
) -> None:
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "zh-hans"
    page = client.get(url(model, "changelist"), headers={"Accept-Language": "en"}).text
    with translation.override("zh-hans"):
        names = [str(field.verbose_name) for field in model._meta.fields if field.name in page]
        titles = [str(model._meta.verbose_name_plural), str(model._meta.app_config.verbose_name)]
    assert [name for name in (*names, *titles) if not CHINESE.search(name) and name not in SAME] == []
    assert [title for title in titles if title not in page] == []


def words(file: polib.POFile | polib.MOFile) -> dict[str, str]:
    return {entry.msgid: entry.msgstr or entry.msgstr_plural[0] for entry in file}


def test_every_name_of_the_admin_has_chinese_words_and_they_are_compiled() -> None:
    written = words(polib.pofile(WORDS / "django.po"))
    asked = {
        call.args[0].value
        for file in settings.BASE_DIR.glob("apps/*/*.py")
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "_"
        if isinstance(call.args[0], ast.Constant)
    }
    assert len(asked) > 100
    assert asked - written.keys() == set()
    assert {text for text in written.values() if not CHINESE.search(text)} <= SAME
    assert words(polib.mofile(str(WORDS / "django.mo"))) == written, "run `make messages`"


def test_the_admin_signs_in_through_the_studio(client: Client) -> None:
    answer = client.get("/admin/", follow=True)
    assert answer.redirect_chain[-1][0] == "/sign-in?next=%2Fadmin%2F"
    assert client.post("/admin/login/", {"username": "a", "password": "b"}).status_code == 302
    assert client.get("/admin")["Location"] == "/admin/"


def test_a_user_who_is_not_staff_is_refused_and_not_sent_in_circles(client: Client) -> None:
    client.force_login(make_user("ada"))
    answer = client.get("/admin/", follow=True)
    assert answer.status_code == 403
    assert len(answer.redirect_chain) == 1


@pytest.mark.usefixtures("root")
def test_a_user_made_in_the_admin_can_sign_in_and_has_a_workspace(client: Client) -> None:
    form = {
        "email": "Grace@Example.org",
        "name": "Grace",
        "password1": "a good password",
        "password2": "a good password",
    }
    answer = client.post(url(User, "add"), form)

    assert answer.status_code == 302, answer.text
    grace = User.objects.get(email="grace@example.org")
    assert grace.check_password("a good password")
    assert grace.workspaces.get().name == "Grace's workspace"
    assert AuditEntry.objects.filter(action=Action.USER_CREATED, target_id=str(grace.pk)).exists()


@pytest.mark.usefixtures("root")
def test_a_keys_page_shows_no_hash_and_revoking_it_works(client: Client) -> None:
    row = ApiKey.objects.get()
    for page in (url(ApiKey, "changelist"), url(ApiKey, "change", row.pk)):
        assert row.hashed_key not in client.get(page).text

    client.post(url(ApiKey, "changelist"), {"action": "revoke", "_selected_action": [str(row.pk)]})

    row.refresh_from_db()
    assert row.revoked_at is not None
    assert authenticate_bearer(f"{row.prefix}.x") is None
    assert client.get(url(ApiKey, "add")).status_code == 403


@pytest.mark.usefixtures("root")
def test_actions_enable_disable_and_set_the_default(client: Client) -> None:
    def act(action: str, model_id: str) -> str:
        answer = client.post(
            url(Model, "changelist"), {"action": action, "_selected_action": [model_id]}, follow=True
        )
        return answer.text

    act("enable", "vits-ljspeech")
    act("set_default", "vits-ljspeech")
    model = Model.objects.get(pk="vits-ljspeech")
    assert (model.enabled, model.is_default) == (True, True)
    assert "make another model the default first" in act("disable", "vits-ljspeech")
    act("disable", "espeak")
    assert not Model.objects.get(pk="espeak").enabled
    assert AuditEntry.objects.filter(action=Action.MODEL_ENABLED, target_id="vits-ljspeech").count() == 1


@pytest.mark.usefixtures("root")
def test_an_edited_model_is_kept_checked_and_noted(client: Client) -> None:
    model = Model.objects.get(pk="vits-ljspeech")
    form = {
        "name": "Ljspeech", "medium": "voice", "engine": "vits", "source": model.source, "revision": "abc",
        "quantization": "none", "dtype": "auto", "options": "{}", "size_bytes": "5", "languages": '["en"]',
        "enabled": "on",
        # Hidden in the page: fields with a made default compare with what the page showed.
        "initial-options": "{}", "initial-languages": '["en"]',
    }  # fmt: skip
    page = url(Model, "change", model.pk)
    assert client.post(page, {**form, "engine": "sdxl"}).status_code == 200
    assert client.post(page, form).status_code == 302

    model.refresh_from_db()
    assert (model.name, model.revision, model.engine, model.enabled) == ("Ljspeech", "abc", "vits", True)
    entry = AuditEntry.objects.get(action=Action.MODEL_CHANGED)
    assert set(entry.data["changed"]) == {"name", "notes", "revision", "size_bytes", "enabled"}
    assert AuditEntry.objects.filter(action=Action.MODEL_ENABLED).count() == 1


def test_the_schema_describes_every_address_without_a_warning(client: Client) -> None:
    schema = client.get("/api/schema", {"format": "json"}).json()
    assert {
        "/api/v1/session",
        "/api/v1/welcome",
        "/api/v1/models",
        "/api/v1/models/{model_id}/enable",
    } <= set(schema["paths"])
    assert set(schema["components"]["securitySchemes"]) == {"bearer", "session"}
    assert client.get("/api/docs").status_code == 200


# --- how it looks


@pytest.mark.usefixtures("root")
def test_the_admin_wears_the_studios_green_and_its_style_is_served(client: Client) -> None:
    tokens = (settings.BASE_DIR / "frontend" / "src" / "styles" / "tokens.css").read_text(encoding="utf-8")
    light, dark = re.findall(r"--accent: (#\w{6});", tokens)[:2]
    green = UNFOLD["COLORS"]["primary"]
    assert (green["600"], green["400"]) == (light, dark)
    page = client.get(reverse("admin:index")).content.decode()
    for style in UNFOLD["STYLES"]:
        assert style in page
        assert client.get(style)["Content-Type"].startswith("text/css")
