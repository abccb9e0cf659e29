"""`/api/v1/models`."""

from __future__ import annotations

import re
from typing import Any, cast

import pytest
from django.test import AsyncClient, Client
from pytest_django import Settings

from aigc.lib.redis_client import redis_client
from apps.accounts.models import User
from apps.catalog.models import Model
from apps.catalog.services import seed_catalog
from tests.unit.accounts_people import make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("run_redis")]

URL = "/api/v1/models"


@pytest.fixture
def ada(client: Client) -> User:
    """Signed in, staff, with a seeded catalogue."""
    seed_catalog()
    user = make_user("ada", is_staff=True)
    client.force_login(user)
    return user


def by_id(client: Client) -> dict[str, Any]:
    """The list, by id."""
    return {model["id"]: model for model in client.get(URL).json()["results"]}


@pytest.mark.usefixtures("ada")
def test_the_list_has_what_a_page_needs(client: Client) -> None:
    model = by_id(client)["sdxl-base-1.0"]
    assert model.pop("notes")
    assert model == {
        "id": "sdxl-base-1.0",
        "name": "Stable Diffusion XL 1.0",
        "medium": "image",
        "engine": "sdxl",
        "origin": "download",
        "source": "stabilityai/stable-diffusion-xl-base-1.0",
        "demo": False,
        "random": False,
        "enabled": False,
        "default": False,
        "size_bytes": 6_900_000_000,
        "languages": ["en"],
        "options": {},
        "state": {"state": "idle", "done": 0, "total": 0, "message": ""},
    }


@pytest.mark.usefixtures("ada")
def test_who_reads_chinese_gets_the_seeds_in_chinese_and_what_staff_wrote_as_it_is(client: Client) -> None:
    Model.objects.filter(pk="espeak").update(notes="Ask Ada first.")
    chinese = client.get(URL, headers={"Accept-Language": "zh-CN"}).json()["results"]
    for model in chinese:
        is_chinese = re.search("[\u4e00-\u9fff]", model["notes"]) is not None
        assert is_chinese != (model["id"] == "espeak"), model
    assert by_id(client)["demo-chat"]["notes"].startswith("Runs anywhere.")


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("ada")
async def test_the_language_reaches_the_pool_in_which_views_run(client: Client) -> None:
    browser = AsyncClient()
    browser.cookies = client.cookies
    words = await browser.get(URL, headers={"Accept-Language": "zh-CN"})
    assert "任何机器都能运行" in words.content.decode()
    words = await browser.get(URL)
    assert "Runs anywhere" in words.content.decode()


@pytest.mark.usefixtures("ada")
def test_what_django_says_of_a_field_is_in_the_readers_language(client: Client) -> None:
    asked: Any = {"path": "/api/v1/conversations", "data": {}, "content_type": "application/json"}
    said = [client.post(**asked, headers={"Accept-Language": language}).json() for language in ("en", "zh")]
    assert [answer["error"]["field"] for answer in said] == ["content", "content"]
    assert [answer["error"]["message"] for answer in said] == [
        "content: This field is required.",
        "content: 该字段是必填项。",
    ]


@pytest.mark.usefixtures("ada")
def test_the_default_of_a_medium_comes_first(client: Client) -> None:
    for medium in ("chat", "image", "voice"):
        models = client.get(URL, {"medium": medium}).json()["results"]
        assert {model["medium"] for model in models} == {medium}
        assert [model["default"] for model in models] == [True] + [False] * (len(models) - 1)


@pytest.mark.usefixtures("ada")
def test_an_unknown_medium_is_400(client: Client) -> None:
    answer = client.get(URL, {"medium": "smell"})
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, "medium")


def test_strangers_get_401(client: Client) -> None:
    assert client.get(URL).status_code == 401


@pytest.mark.usefixtures("ada")
def test_the_state_is_what_the_workers_say(client: Client) -> None:
    facts = {"state": "downloading", "done": 100, "total": 3_600_000_000, "message": "from the hub"}
    redis_client().hset("aigc:model:demo-chat", mapping=cast("Any", facts))
    redis_client().hset("aigc:model:demo-image", mapping={"state": "confused", "done": "many"})

    models = by_id(client)

    assert models["demo-chat"]["state"] == facts
    assert models["demo-image"]["state"] == {"state": "idle", "done": 0, "total": 0, "message": ""}


@pytest.mark.usefixtures("ada")
def test_the_list_is_shown_without_redis_too(client: Client, settings: Settings) -> None:
    settings.AIGC_REDIS_URL = "redis://127.0.0.1:1/0"
    assert "not known" in by_id(client)["espeak"]["state"]["message"]


@pytest.mark.usefixtures("ada")
def test_staff_read_where_each_model_comes_from(client: Client) -> None:
    Model.objects.filter(pk="vits-ljspeech").update(source="~/models/voice")
    models = by_id(client)
    assert {
        name: models[name]["origin"] for name in ("espeak", "demo-chat", "vits-ljspeech", "deepseek-api")
    } == {
        "espeak": "built_in",
        "demo-chat": "demo",
        "vits-ljspeech": "folder",
        "deepseek-api": "server",
    }
    assert models["deepseek-api"]["source"] == "https://api.deepseek.com"


@pytest.mark.usefixtures("ada")
def test_folders_servers_and_names_of_keys_stay_inside(client: Client) -> None:
    client.force_login(make_user("grace"))
    Model.objects.filter(pk="vits-ljspeech").update(source="/srv/secret-folder")
    Model.objects.filter(pk="deepseek-api").update(
        options={"api_key_env": "SECRET_NAME", "extra": {"x": 1}, "max_tokens": 9}
    )
    answer = client.get(URL)
    assert by_id(client)["deepseek-api"]["options"] == {"max_tokens": 9}
    assert "SECRET_NAME" not in answer.text
    assert "api.deepseek.com" not in answer.text
    assert "secret-folder" not in answer.text
    assert by_id(client)["sdxl-base-1.0"]["source"] == "stabilityai/stable-diffusion-xl-base-1.0"


@pytest.mark.usefixtures("ada")
def test_staff_enable_and_disable(client: Client) -> None:
    assert client.post(f"{URL}/vits-ljspeech/enable").json()["enabled"] is True
    assert client.post(f"{URL}/vits-ljspeech/disable").json()["enabled"] is False
    assert client.post(f"{URL}/espeak/disable").status_code == 409
    assert client.post(f"{URL}/nothing/enable").status_code == 404
    assert client.post(f"{URL}/%00/enable").status_code == 404


def test_others_cannot(client: Client, ada: User) -> None:
    client.force_login(make_user("grace"))
    assert client.post(f"{URL}/vits-ljspeech/enable").status_code == 403
    assert not Model.objects.get(pk="vits-ljspeech").enabled
