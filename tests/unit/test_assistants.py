"""`/api/v1/assistants`: personas that conversations copy when they begin, also from an Ollama Modelfile."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any, cast

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.catalog.services import seed_catalog
from apps.chat.models import Assistant
from apps.chat.services import erase_deleted
from apps.jobs.models import Job
from tests.unit.accounts_people import make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("run_redis")]

URL = "/api/v1/assistants"
PIRATE = {
    "name": "Pirate",
    "model": "demo-chat",
    "system": "You are a pirate.",
    "params": {"temperature": 0.5, "stop": ["the end"]},
    "opening": [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Arr!"}],
}


@pytest.fixture
def ada(client: Client) -> User:
    seed_catalog()
    user = make_user("ada")
    client.force_login(user)
    return user


def send(client: Client, method: str, url: str, body: Any, status: int) -> dict[str, Any]:
    answer = client.generic(method, url, json.dumps(body), content_type="application/json")
    assert answer.status_code == status, answer.content
    return cast(dict[str, Any], answer.json()) if answer.content else {}


@pytest.mark.usefixtures("ada")
def test_a_conversation_begins_with_what_its_assistant_holds_and_keeps_it(client: Client) -> None:
    made = send(client, "POST", URL, PIRATE, 201)
    started = send(
        client, "POST", "/api/v1/conversations", {"content": "Who are you?", "assistant": made["id"]}, 201
    )
    job = Job.objects.get(pk=started["messages"][1]["job"])
    assert job.input["messages"] == [
        {"role": "system", "content": "You are a pirate."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Arr!"},
        {"role": "user", "content": "Who are you?"},
    ]
    assert (job.input["temperature"], job.input["stop"]) == (0.5, ["the end"])
    send(client, "PATCH", f"{URL}/{made['id']}", {"system": "You are a parrot."}, 200)
    kept = client.get(f"/api/v1/conversations/{started['id']}").json()
    assert (kept["assistant"], kept["system"]) == (made["id"], "You are a pirate.")
    assert client.delete(f"{URL}/{made['id']}").status_code == 204
    kept = client.get(f"/api/v1/conversations/{started['id']}").json()
    assert (kept["assistant"], kept["system"]) == (None, "You are a pirate.")


@pytest.mark.usefixtures("ada")
def test_a_deleted_assistant_can_be_brought_back_for_ten_minutes(client: Client) -> None:
    made = send(client, "POST", URL, PIRATE, 201)
    url = f"{URL}/{made['id']}"
    body = {"content": "Who are you?", "assistant": made["id"]}
    started = send(client, "POST", "/api/v1/conversations", body, 201)
    send(client, "DELETE", url, {}, 204)
    assert client.get(URL).json() == {"results": []}
    send(client, "POST", "/api/v1/conversations", body, 404)
    assert send(client, "POST", f"{url}/restore", {}, 200) == made
    assert client.get(f"/api/v1/conversations/{started['id']}").json()["assistant"] == made["id"]
    send(client, "DELETE", url, {}, 204)
    Assistant.objects.update(deleted_at=timezone.now() - timedelta(minutes=11))
    erase_deleted()
    send(client, "POST", f"{url}/restore", {}, 404)


@pytest.mark.usefixtures("ada")
def test_what_the_start_says_comes_over_the_assistant(client: Client) -> None:
    made = send(client, "POST", URL, PIRATE, 201)
    body = {"content": "Hi", "assistant": made["id"], "system": "Be kind."}
    started = send(client, "POST", "/api/v1/conversations", body, 201)
    assert started["system"] == "Be kind."


@pytest.mark.usefixtures("ada")
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 61}, "name"),
        ({"system": "x" * 20_001}, "system"),
        ({"params": {"temperature": 3}}, "params.temperature"),
        ({"params": {"surprise": 1}}, "params.surprise"),
    ],
)
def test_limits_are_named(client: Client, changes: dict[str, Any], field: str) -> None:
    assert send(client, "POST", URL, {**PIRATE, **changes}, 400)["error"]["field"] == field
    assert not Assistant.objects.exists()


@pytest.mark.usefixtures("ada")
def test_a_modelfile_makes_an_assistant_and_says_what_it_left_out(client: Client) -> None:
    text = 'FROM llama3\nSYSTEM """You are\na pirate."""\nPARAMETER num_ctx 4096\nPARAMETER temperature 0.5\n'
    made = send(client, "POST", f"{URL}/import", {"name": "Pirate", "modelfile": text}, 201)
    assert [note["line"] for note in made["notes"]] == [1, 4]
    assert "llama3" in made["notes"][0]["message"]
    shown = made["assistant"]
    assert (shown["name"], shown["model"], shown["system"]) == ("Pirate", "", "You are\na pirate.")
    assert shown["params"] == {"temperature": 0.5}
    assert client.get(f"{URL}/{shown['id']}").json() == shown


@pytest.mark.usefixtures("ada")
def test_a_modelfile_is_checked_without_making_anything(client: Client) -> None:
    text = "FROM demo-chat\nPARAMETER num_ctx 4096\nPARAMETER top_k 7\nMESSAGE user Hello\nGREET people\n"
    checked = send(client, "POST", f"{URL}/import/check", {"modelfile": text}, 200)
    assert (checked["model"], checked["params"]) == ("demo-chat", {"top_k": 7})
    assert checked["opening"] == [{"role": "user", "content": "Hello"}]
    assert [note["line"] for note in checked["notes"]] == [2, 5]
    hot = {"modelfile": "PARAMETER temperature 5"}
    assert send(client, "POST", f"{URL}/import/check", hot, 400)["error"]["field"] == "params.temperature"
    assert not Assistant.objects.exists()


@pytest.mark.usefixtures("ada")
def test_a_modelfile_beyond_our_limits_is_refused_by_its_parameter(client: Client) -> None:
    body = {"name": "Hot", "modelfile": "FROM demo-chat\nPARAMETER temperature 5"}
    assert send(client, "POST", f"{URL}/import", body, 400)["error"]["field"] == "params.temperature"
    assert not Assistant.objects.exists()


@pytest.mark.usefixtures("ada")
def test_for_anybody_else_it_does_not_exist(client: Client) -> None:
    made = send(client, "POST", URL, PIRATE, 201)
    grace = Client()
    grace.force_login(make_user("grace"))
    assert grace.get(URL).json() == {"results": []}
    url = f"{URL}/{made['id']}"
    assert grace.get(url).status_code == grace.delete(url).status_code == 404
    send(grace, "PATCH", url, {"name": "Mine"}, 404)
    send(grace, "POST", "/api/v1/conversations", {"content": "Hi", "assistant": made["id"]}, 404)
    assert client.get(URL).json()["results"] == [made]
