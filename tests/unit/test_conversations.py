"""`/api/v1/conversations`: a tree that loses nothing, that only its owner sees, and that deletion deletes."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, cast

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from PIL import Image
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from apps.accounts.models import User
from apps.catalog.models import Model
from apps.catalog.services import seed_catalog
from apps.chat import services
from apps.chat import titles as titles_of
from apps.chat.models import Conversation, Folder, Message
from apps.jobs.models import Job, Upload
from apps.jobs.services import erase_jobs, settle
from apps.jobs.stream import job_log
from deploy.local.redis_server import RedisServer
from gpu_workers.contract.events import Delta, Event, Failed, Finished
from gpu_workers.publish import Publisher
from tests.unit.accounts_people import make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("run_redis")]

URL = "/api/v1/conversations"
ANSWER = (Delta(reasoning="It is asked for a word. "), Delta(text="Hello"), Delta(text=" there."))
END = Finished(usage={"completion_tokens": 4}, finish_reason="stop", confidence=0.5)


class Writer:
    """Stands for a gpu worker: writes what a test wants into the log of a job."""

    def __init__(self, redis: Redis) -> None:
        self.publisher = Publisher(redis, job_log())

    def write(self, job_id: str, *events: Event, settled: bool = True) -> None:
        claim = job_log().claim(job_id, 1, "worker", "demo-chat")
        assert claim.answer == "ok"
        outbox = self.publisher.open(job_id, 1, "worker", claim.number)
        for event in events:
            self.publisher.emit(outbox, event)
        assert outbox.ended.wait(5)
        if settled:
            settle(job_id)


@pytest.fixture
def writer(run_redis: RedisServer) -> Iterator[Writer]:
    writer = Writer(Redis.from_url(run_redis.url))
    writer.publisher.start()
    yield writer
    writer.publisher.close()


@pytest.fixture
def ada(client: Client) -> User:
    seed_catalog()
    user = make_user("ada")
    client.force_login(user)
    return user


@pytest.fixture
def grace() -> Client:
    """Somebody else, of another workspace."""
    other = Client()
    other.force_login(make_user("grace"))
    return other


def post(client: Client, url: str, body: Any = None, key: str = "", status: int = 201) -> dict[str, Any]:
    headers = {"Idempotency-Key": key} if key else {}
    answer = client.post(url, body or {}, content_type="application/json", headers=headers)
    assert answer.status_code == status, answer.content
    return cast(dict[str, Any], answer.json())


def patch(client: Client, url: str, body: Any, status: int = 200) -> dict[str, Any]:
    answer = client.patch(url, body, content_type="application/json")
    assert answer.status_code == status, answer.content
    return cast(dict[str, Any], answer.json())


def read(client: Client, conversation: str) -> dict[str, Any]:
    return cast(dict[str, Any], client.get(f"{URL}/{conversation}").json())


def titles(client: Client, **query: str) -> list[str]:
    return [found["title"] for found in client.get(URL, query).json()["results"]]


def start(client: Client, content: str = "Say hello", **more: Any) -> dict[str, Any]:
    return post(client, URL, {"content": content, **more})


def answered(client: Client, writer: Writer, content: str = "Say hello", **more: Any) -> dict[str, Any]:
    """A conversation of one question and its finished answer."""
    started = start(client, content, **more)
    writer.write(started["messages"][1]["job"], *ANSWER, END)
    return read(client, started["id"])


# --- asking


@pytest.mark.usefixtures("ada")
def test_a_first_question_makes_a_conversation_whose_answer_runs(client: Client) -> None:
    made = start(client, "  \nSay hello\nin one word")
    question, answer = made["messages"]
    assert made["title"] == "Say hello"
    assert (question["role"], question["parent"], question["content"]) == (
        "user",
        None,
        "  \nSay hello\nin one word",
    )
    assert (answer["role"], answer["parent"], answer["state"]) == ("assistant", question["id"], "running")
    assert made["current"] == answer["id"]
    job = Job.objects.get(pk=answer["job"])
    assert job.input["messages"] == [{"role": "user", "content": question["content"]}]
    assert read(client, made["id"]) == made


@pytest.mark.usefixtures("ada")
def test_a_finished_job_is_kept_in_its_answer(client: Client, writer: Writer) -> None:
    answer = answered(client, writer)["messages"][1]
    assert answer["state"] == "done"
    assert answer["content"] == "Hello there."
    assert answer["reasoning"] == "It is asked for a word. "
    assert (answer["usage"], answer["confidence"], answer["finish_reason"]) == (
        {"completion_tokens": 4},
        0.5,
        "stop",
    )


@pytest.mark.usefixtures("ada")
def test_a_failed_job_leaves_its_reason_and_what_it_had_said(client: Client, writer: Writer) -> None:
    made = start(client)
    writer.write(made["messages"][1]["job"], ANSWER[1], Failed("out_of_memory", "Too large.", retryable=True))
    answer = read(client, made["id"])["messages"][1]
    assert (answer["state"], answer["content"]) == ("failed", "Hello")
    assert answer["error"]["message"] == "Too large."


@pytest.mark.usefixtures("ada")
def test_the_model_reads_the_system_prompt_and_the_branch_before(client: Client, writer: Writer) -> None:
    made = answered(client, writer, system="Be brief.", params={"temperature": 0.5, "max_tokens": 50})
    asked = post(
        client, f"{URL}/{made['id']}/messages", {"content": "And in French?", "parent": made["current"]}
    )
    question, answer = asked["messages"]
    job = Job.objects.get(pk=answer["job"])
    assert job.input["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Say hello"},
        {"role": "assistant", "content": "Hello there."},
        {"role": "user", "content": "And in French?"},
    ]
    assert (job.input["temperature"], job.input["max_tokens"]) == (0.5, 50)
    assert question["parent"] == made["current"]
    assert asked["conversation"]["current"] == answer["id"]


def long_talk(client: Client, turns: int, content: str = "x") -> dict[str, Any]:
    """A conversation of so many turns, the last an answer."""
    messages = [
        {
            "id": str(number),
            "parent": str(number - 1) if number else None,
            "role": ("user", "assistant")[number % 2],
            "content": f"{number} {content}",
        }
        for number in range(turns)
    ]
    return post(client, f"{URL}/import", {"messages": messages, "system": "Be brief."})


@pytest.mark.usefixtures("ada")
@pytest.mark.parametrize(
    ("turns", "content", "dropped"), [(1200, "x", 202), (100, "x" * 10_000, 62), (10, "x" * 79_000, 6)]
)
def test_a_conversation_longer_than_a_job_takes_goes_on_with_its_end(
    client: Client, writer: Writer, turns: int, content: str, dropped: int
) -> None:
    talk = long_talk(client, turns, content)
    asked = post(client, f"{URL}/{talk['id']}/messages", {"content": "And now?", "parent": talk["current"]})
    answer = asked["messages"][1]
    given = Job.objects.get(pk=answer["job"]).input
    assert given["truncation"] == "auto"
    assert [turn["content"].split()[0] for turn in given["messages"]] == [
        "Be",
        *map(str, range(dropped, turns)),
        "And",
    ]
    usage = {"completion_tokens": 4, "dropped_turns": 5}
    writer.write(answer["job"], *ANSWER, Finished(usage=usage, finish_reason="stop"))
    assert read(client, talk["id"])["messages"][-1]["usage"]["dropped_turns"] == dropped + 5


@pytest.mark.usefixtures("ada")
def test_an_answer_without_a_word_is_left_out_with_its_question(client: Client, writer: Writer) -> None:
    made = start(client)
    writer.write(made["messages"][1]["job"], Failed("out_of_memory", "Too large.", retryable=True))
    asked = post(
        client, f"{URL}/{made['id']}/messages", {"content": "Hello?", "parent": made["messages"][1]["id"]}
    )
    job = Job.objects.get(pk=asked["messages"][1]["job"])
    assert job.input["messages"] == [{"role": "user", "content": "Hello?"}]


@pytest.mark.usefixtures("ada")
def test_an_edited_question_is_a_branch_and_the_old_one_stays(client: Client, writer: Writer) -> None:
    made = answered(client, writer)
    asked = post(client, f"{URL}/{made['id']}/messages", {"content": "Say goodbye", "parent": None})
    job = Job.objects.get(pk=asked["messages"][1]["job"])
    assert job.input["messages"] == [{"role": "user", "content": "Say goodbye"}]
    now = read(client, made["id"])
    assert [message["content"] for message in now["messages"] if message["parent"] is None] == [
        "Say hello",
        "Say goodbye",
    ]
    shown = patch(client, f"{URL}/{made['id']}", {"current": made["current"]})
    assert shown["current"] == made["current"]


@pytest.mark.usefixtures("ada")
def test_an_answer_made_again_stands_beside_the_first(client: Client, writer: Writer) -> None:
    made = answered(client, writer)
    question, first = made["messages"]
    (second,) = post(client, f"{URL}/{made['id']}/messages/{first['id']}/again")["messages"]
    assert (second["parent"], second["state"]) == (question["id"], "running")
    assert second["id"] != first["id"]
    assert read(client, made["id"])["messages"][1] == first


@pytest.mark.usefixtures("ada")
def test_a_question_cannot_overtake_the_answer_before_it(client: Client) -> None:
    made = start(client)
    body = {"content": "And?", "parent": made["current"]}
    error = post(client, f"{URL}/{made['id']}/messages", body, status=409)["error"]
    assert (error["code"], error["field"]) == ("conflict", "parent")
    assert Message.objects.count() == 2


@pytest.mark.usefixtures("ada")
def test_a_question_may_follow_as_soon_as_the_events_of_the_answer_before_have_ended(
    client: Client, writer: Writer
) -> None:
    made = start(client)
    writer.write(made["messages"][1]["job"], *ANSWER, END, settled=False)
    second = post(client, f"{URL}/{made['id']}/messages", {"content": "And?", "parent": made["current"]})
    asked = Job.objects.get(pk=second["messages"][1]["job"]).input["messages"]
    assert [turn["content"] for turn in asked] == ["Say hello", "Hello there.", "And?"]


@pytest.mark.usefixtures("ada")
def test_an_answer_is_read_as_ended_as_soon_as_its_events_have(client: Client, writer: Writer) -> None:
    made = start(client)
    assert read(client, made["id"])["messages"][1]["state"] == "running"
    writer.write(made["messages"][1]["job"], *ANSWER, END, settled=False)
    answer = read(client, made["id"])["messages"][1]
    assert (answer["state"], answer["content"]) == ("done", "Hello there.")


@pytest.mark.usefixtures("ada")
def test_a_conversation_is_read_as_its_rows_are_while_redis_does_not_answer(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = start(client)

    def fails(job_id: object) -> bool:
        raise RedisConnectionError(f"nothing of {job_id}")

    monkeypatch.setattr(services, "settle", fails)
    assert read(client, made["id"])["messages"][1]["state"] == "running"


@pytest.mark.usefixtures("ada")
def test_a_repeated_key_gives_the_first_messages_again(client: Client, writer: Writer) -> None:
    body = {"content": "Say hello"}
    first, again = (post(client, URL, body, key="one") for _ in range(2))
    assert again == first
    writer.write(first["messages"][1]["job"], *ANSWER, END)
    more = {"content": "Once more", "parent": first["current"]}
    asked, repeated = (post(client, f"{URL}/{first['id']}/messages", more, key="two") for _ in range(2))
    assert repeated["messages"] == asked["messages"]
    assert (Conversation.objects.count(), Message.objects.count(), Job.objects.count()) == (1, 4, 2)


@pytest.mark.usefixtures("ada")
def test_what_is_refused_leaves_nothing_behind(client: Client) -> None:
    post(client, URL, {"content": "Hello", "model": "none-such"}, status=404)
    error = post(client, URL, {"content": "Hello", "params": {"temperature": 9}}, status=400)["error"]
    assert error["field"] == "params.temperature"
    post(client, URL, {"content": ""}, status=400)
    assert (Conversation.objects.count(), Message.objects.count(), Job.objects.count()) == (0, 0, 0)


# --- side by side


@pytest.fixture
def second_model(ada: User) -> str:
    """Another chat model than the default one."""
    first = Model.objects.get(pk="demo-chat")
    return str(Model.objects.create(pk="second", name="Second", **_kind_of(first)).pk)


def _kind_of(model: Model) -> dict[str, Any]:
    return {name: getattr(model, name) for name in ("medium", "engine", "source", "enabled", "demo")}


def test_a_question_to_two_models_has_both_answers_beside_each_other(
    client: Client, second_model: str
) -> None:
    made = start(client, models=["demo-chat", second_model], params={"max_tokens": 9})
    question, *answers = made["messages"]
    assert [answer["model"] for answer in answers] == ["demo-chat", second_model]
    assert {answer["parent"] for answer in answers} == {made["current"]} == {question["id"]}
    inputs = [Job.objects.get(pk=answer["job"]).input for answer in answers]
    assert inputs[0] == inputs[1]
    assert inputs[0]["max_tokens"] == 9


def test_the_better_answer_is_kept_and_the_conversation_goes_on_from_it(
    client: Client, writer: Writer, second_model: str
) -> None:
    made = start(client, models=["demo-chat", second_model])
    _, first, second = made["messages"]
    writer.write(first["job"], Delta(text="Worse"), END)
    writer.write(second["job"], Delta(text="Better"), END)
    assert read(client, made["id"])["current"] == made["current"], "it is the person who decides"
    kept = patch(client, f"{URL}/{made['id']}", {"current": second["id"], "model": second_model})
    assert (kept["current"], kept["model"]) == (second["id"], second_model)
    asked = post(client, f"{URL}/{made['id']}/messages", {"content": "And?", "parent": second["id"]})
    read_by_model = Job.objects.get(pk=asked["messages"][1]["job"]).input["messages"]
    assert [turn["content"] for turn in read_by_model] == ["Say hello", "Better", "And?"]


def test_a_later_question_is_compared_too_and_a_repeated_key_asks_nobody_again(
    client: Client, writer: Writer, second_model: str
) -> None:
    made = answered(client, writer)
    body = {"content": "And?", "parent": made["current"], "models": ["demo-chat", second_model]}
    asked = post(client, f"{URL}/{made['id']}/messages", body, key="k" * 200)
    question, *answers = asked["messages"]
    assert asked["conversation"]["current"] == question["id"]
    patch(client, f"{URL}/{made['id']}", {"current": answers[1]["id"]})
    repeated = post(client, f"{URL}/{made['id']}/messages", body, key="k" * 200)
    assert repeated["messages"] == asked["messages"]
    assert repeated["conversation"]["current"] == answers[1]["id"], "what was kept stays"
    assert Job.objects.count() == 3


def test_when_one_of_the_models_is_refused_nobody_is_asked(client: Client, second_model: str) -> None:
    Model.objects.filter(pk=second_model).update(enabled=False)
    post(client, URL, {"content": "Hello", "models": ["demo-chat", second_model]}, status=404)
    post(client, URL, {"content": "Hello", "models": ["demo-chat"]}, status=400)
    assert (Conversation.objects.count(), Message.objects.count(), Job.objects.count()) == (0, 0, 0)


def test_another_model_can_be_put_beside_an_answer(client: Client, writer: Writer, second_model: str) -> None:
    made = answered(client, writer)
    question, first = made["messages"]
    body = {"model": second_model, "side_by_side": True}
    asked = post(client, f"{URL}/{made['id']}/messages/{first['id']}/again", body)
    assert asked["conversation"]["current"] == question["id"] == asked["messages"][0]["parent"]


# --- folders


@pytest.mark.usefixtures("ada")
def test_a_deleted_folder_leaves_its_conversations_and_comes_back_with_them(client: Client) -> None:
    folder = post(client, "/api/v1/folders", {"name": "Work"})
    assert folder["conversations"] == 0
    kept = start(client, "kept", folder=folder["id"])
    start(client, "loose")
    url = f"/api/v1/folders/{folder['id']}"
    assert titles(client, folder="none") == ["loose"]
    assert client.delete(url).status_code == 204
    assert client.get("/api/v1/folders").json() == {"results": []}
    assert sorted(titles(client, folder="none")) == ["kept", "loose"]
    assert titles(client, folder=folder["id"]) == []
    patch(client, url, {"name": "Gone"}, status=404)
    assert post(client, f"{url}/restore", status=200) == {**folder, "conversations": 1}
    assert read(client, kept["id"])["folder"] == folder["id"]
    client.delete(url)
    Folder.objects.update(deleted_at=timezone.now() - timedelta(minutes=11))
    services.erase_deleted()
    post(client, f"{url}/restore", status=404)
    assert read(client, kept["id"])["folder"] is None


@pytest.mark.usefixtures("ada")
def test_a_folder_counts_what_a_list_shows_in_it(client: Client) -> None:
    folder = post(client, "/api/v1/folders", {"name": "Work"})
    made = [start(client, title, folder=folder["id"]) for title in ("one", "two", "three")]
    patch(client, f"{URL}/{made[0]['id']}", {"archived": True})
    client.delete(f"{URL}/{made[1]['id']}")
    assert [each["conversations"] for each in client.get("/api/v1/folders").json()["results"]] == [1]
    assert patch(client, f"/api/v1/folders/{folder['id']}", {"name": "Home"})["conversations"] == 1


# --- titles


@pytest.fixture
def trained(ada: User) -> None:
    """The demo model counts as one that has learned something."""
    Model.objects.filter(pk="demo-chat").update(random=False)


@pytest.mark.usefixtures("trained")
def test_a_title_is_asked_for_after_the_first_answer_and_kept(
    client: Client, writer: Writer, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        made = answered(client, writer)
    job = Job.objects.get(purpose="title")
    assert job.tier == "batch"
    assert "User: Say hello\nAssistant: Hello there." in job.input["messages"][0]["content"]
    assert [shown["id"] for shown in client.get("/api/v1/jobs").json()["results"]] == [
        made["messages"][1]["job"]
    ]
    writer.write(str(job.pk), Delta(text='Title: "A short greeting."\nOr: Hello'), END)
    now = read(client, made["id"])
    assert (now["title"], now["titled"]) == ("A short greeting", True)
    with django_capture_on_commit_callbacks(execute=True):
        (again,) = post(client, f"{URL}/{made['id']}/messages/{made['current']}/again")["messages"]
        writer.write(again["job"], *ANSWER, END)
    assert Job.objects.filter(purpose="title").count() == 1


@pytest.mark.usefixtures("ada")
def test_an_untrained_model_is_not_asked_for_a_title(
    client: Client, writer: Writer, django_capture_on_commit_callbacks: Any
) -> None:
    Model.objects.filter(pk="demo-chat").update(random=True)
    with django_capture_on_commit_callbacks(execute=True):
        made = answered(client, writer)
    assert made["titled"] is False
    assert not Job.objects.filter(purpose="title").exists()


@pytest.mark.usefixtures("trained")
def test_a_name_that_a_person_gave_stays(
    client: Client, writer: Writer, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        made = answered(client, writer)
    patch(client, f"{URL}/{made['id']}", {"title": "Mine"})
    writer.write(str(Job.objects.get(purpose="title").pk), Delta(text="A short greeting"), END)
    assert read(client, made["id"])["title"] == "Mine"
    with django_capture_on_commit_callbacks(execute=True):
        named = start(client)
        patch(client, f"{URL}/{named['id']}", {"title": "Mine too"})
        writer.write(named["messages"][1]["job"], *ANSWER, END)
    assert Job.objects.filter(purpose="title").count() == 1


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("# **Tea**", "Tea"),
        ("\n\n标题：《茶》\n", "茶"),
        ("'Tea and milk.'", "Tea and milk"),
        ("C++ or C#?", "C++ or C#?"),
        ("Title:\nTea", "Tea"),
        ("  \n**\n", ""),
        ("x" * 100, "x" * 79 + "…"),
    ],
)
def test_a_title_is_one_line_without_decoration(text: str, title: str) -> None:
    assert titles_of.clean(text) == title


# --- in order


@pytest.mark.usefixtures("ada")
def test_pinned_conversations_come_first_then_those_that_changed_last(client: Client, writer: Writer) -> None:
    first, _second, _third = (start(client, title) for title in ("first", "second", "third"))
    assert titles(client) == ["third", "second", "first"]
    writer.write(first["messages"][1]["job"], *ANSWER, END)
    assert titles(client) == ["first", "third", "second"]
    patch(client, f"{URL}/{_second['id']}", {"pinned": True})
    assert titles(client) == ["second", "first", "third"]
    page = client.get(URL, {"limit": 2}).json()
    assert [found["title"] for found in page["results"]] == ["second", "first"]
    assert [found["title"] for found in client.get(page["next"]).json()["results"]] == ["third"]


@pytest.mark.usefixtures("ada")
def test_conversations_are_found_by_title_and_by_what_was_said(client: Client, writer: Writer) -> None:
    named = start(client, "Something")
    patch(client, f"{URL}/{named['id']}", {"title": "Tea with milk"})
    said = answered(client, writer, "Greet me")
    assert titles(client, search="TEA") == ["Tea with milk"]
    assert titles(client, search="hello there") == [said["title"]]
    assert titles(client, search="coffee") == []
    assert titles(client, job=said["messages"][1]["job"]) == [said["title"]]


@pytest.mark.usefixtures("ada")
def test_archived_and_filed_conversations_are_listed_apart(client: Client) -> None:
    folder = post(client, "/api/v1/folders", {"name": "Work"})
    kept = start(client, "kept", folder=folder["id"])
    away = start(client, "away")
    patch(client, f"{URL}/{away['id']}", {"archived": True})
    assert titles(client) == ["kept"]
    assert titles(client, archived="true") == ["away"]
    assert titles(client, folder=folder["id"]) == ["kept"]
    assert client.delete(f"/api/v1/folders/{folder['id']}").status_code == 204
    assert read(client, kept["id"])["folder"] is None


@pytest.mark.usefixtures("ada")
def test_limits_are_named(client: Client) -> None:
    made = start(client)
    for body, field in (
        ({"title": "x" * 201}, "title"),
        ({"title": ""}, "title"),
        ({"system": "x" * 20_001}, "system"),
        ({"params": {"surprise": 1}}, "params.surprise"),
    ):
        error = patch(client, f"{URL}/{made['id']}", body, status=400)["error"]
        assert error["field"] == field, body
    assert read(client, made["id"])["title"] == made["title"]


@pytest.mark.usefixtures("ada")
def test_an_answer_is_rated_and_a_question_is_not(client: Client, writer: Writer) -> None:
    made = answered(client, writer)
    question, answer = (f"{URL}/{made['id']}/messages/{message['id']}" for message in made["messages"])
    rated = patch(client, answer, {"rating": -1, "rating_reason": "Too short"})
    assert (rated["rating"], rated["rating_reason"]) == (-1, "Too short")
    assert patch(client, question, {"rating": 1}, status=400)["error"]["field"] == "rating"
    assert patch(client, answer, {"rating": 2}, status=400)["error"]["field"] == "rating"
    assert read(client, made["id"])["messages"][1]["rating"] == -1


# --- others


@pytest.mark.usefixtures("ada")
def test_for_anybody_else_nothing_of_it_exists(client: Client, grace: Client, writer: Writer) -> None:
    made = answered(client, writer)
    folder = post(client, "/api/v1/folders", {"name": "Work"})
    own = start(grace, "mine")
    url, message = f"{URL}/{made['id']}", f"{URL}/{made['id']}/messages/{made['current']}"
    assert titles(grace) == ["mine"]
    assert titles(grace, job=made["messages"][1]["job"]) == []
    answers = [
        grace.get(url),
        grace.delete(url),
        grace.post(f"{url}/restore"),
        grace.get(f"{url}/export"),
        grace.patch(url, {"title": "stolen"}, content_type="application/json"),
        grace.post(f"{url}/messages", {"content": "Hi"}, content_type="application/json"),
        grace.post(f"{message}/again", {}, content_type="application/json"),
        grace.patch(message, {"rating": 1}, content_type="application/json"),
        grace.patch(f"{URL}/{own['id']}", {"folder": folder["id"]}, content_type="application/json"),
        grace.patch(f"{URL}/{own['id']}", {"current": made["current"]}, content_type="application/json"),
        grace.delete(f"/api/v1/folders/{folder['id']}"),
    ]
    assert [answer.status_code for answer in answers] == [404] * len(answers)
    assert read(client, made["id"]) == made
    assert Client().get(url).status_code == 401


# --- deleting


@pytest.mark.usefixtures("ada")
def test_a_deleted_conversation_is_gone_at_once_and_can_be_brought_back(
    client: Client, writer: Writer
) -> None:
    made = answered(client, writer)
    assert client.delete(f"{URL}/{made['id']}").status_code == 204
    assert titles(client) == []
    assert client.get(f"{URL}/{made['id']}").status_code == 404
    post(client, f"{URL}/{made['id']}/restore", status=200)
    assert read(client, made["id"]) == made


@pytest.mark.usefixtures("ada")
def test_deleting_stops_the_answer_that_runs(client: Client) -> None:
    made = start(client)
    client.delete(f"{URL}/{made['id']}")
    assert Job.objects.get(pk=made["messages"][1]["job"]).status == "cancelled"


@pytest.mark.usefixtures("ada")
def test_after_the_time_to_undo_nothing_is_left(
    client: Client, writer: Writer, run_redis: RedisServer
) -> None:
    made = answered(client, writer)
    kept = answered(client, writer, "kept")
    client.delete(f"{URL}/{made['id']}")
    services.erase_deleted()
    assert Conversation.objects.count() == 2, "there is still time to undo"
    Conversation.objects.filter(pk=made["id"]).update(deleted_at=timezone.now() - timedelta(minutes=11))
    services.erase_deleted()
    assert list(Conversation.objects.values_list("title", flat=True)) == [kept["title"]]
    assert not Message.objects.filter(conversation_id=made["id"]).exists()
    job = made["messages"][1]["job"]
    assert not Job.objects.filter(pk=job).exists()
    assert not Redis.from_url(run_redis.url).keys(f"*{job}*")
    post(client, f"{URL}/{made['id']}/restore", status=404)


# --- files


@pytest.mark.usefixtures("ada")
def test_an_exported_conversation_can_be_imported_with_all_its_branches(
    client: Client, writer: Writer
) -> None:
    made = answered(client, writer, system="Be brief.")
    edited = post(client, f"{URL}/{made['id']}/messages", {"content": "Say goodbye", "parent": None})
    writer.write(edited["messages"][1]["job"], *ANSWER, END)
    file = client.get(f"{URL}/{made['id']}/export", {"as": "json"})
    assert file["Content-Disposition"].endswith('.json"')
    back = post(client, f"{URL}/import", json.loads(file.content))
    before = read(client, made["id"])

    def facts(conversation: dict[str, Any]) -> list[tuple[object, ...]]:
        ids = {message["id"]: number for number, message in enumerate(conversation["messages"])}
        return [
            (message["role"], message["content"], message["reasoning"], ids.get(message["parent"]))
            for message in conversation["messages"]
        ]

    assert facts(back) == facts(before)
    assert (back["title"], back["system"]) == (before["title"], "Be brief.")
    assert back["current"] == back["messages"][3]["id"]
    assert back["id"] != before["id"]


@pytest.mark.usefixtures("ada")
@pytest.mark.parametrize(
    ("messages", "field"),
    [
        ([{"id": "a", "parent": "z", "role": "user", "content": "x"}], "messages.0.parent"),
        (
            [
                {"id": "a", "parent": "b", "role": "user", "content": "x"},
                {"id": "b", "parent": "a", "role": "assistant", "content": "x"},
            ],
            "messages.0.parent",
        ),
        ([{"id": "a", "parent": None, "role": "assistant", "content": "x"}], "messages.0"),
        (
            [
                {"id": "a", "parent": None, "role": "user", "content": "x"},
                {"id": "a", "parent": None, "role": "user", "content": "y"},
            ],
            "messages.1",
        ),
    ],
    ids=["no such parent", "a circle", "an answer first", "an id twice"],
)
def test_a_broken_file_is_refused_by_the_message_that_is_wrong(
    client: Client, messages: list[dict[str, Any]], field: str
) -> None:
    error = post(client, f"{URL}/import", {"title": "x", "messages": messages}, status=400)["error"]
    assert error["field"] == field
    assert Conversation.objects.count() == 0


@pytest.mark.usefixtures("ada")
def test_markdown_holds_the_branch_that_is_shown(client: Client, writer: Writer) -> None:
    made = answered(client, writer)
    post(client, f"{URL}/{made['id']}/messages", {"content": "Say goodbye", "parent": None})
    patch(client, f"{URL}/{made['id']}", {"current": made["current"]})
    text = client.get(f"{URL}/{made['id']}/export", {"as": "markdown"}).content.decode()
    assert text.startswith("# Say hello\n\n## User\n\nSay hello\n\n## Assistant (demo-chat)\n\n<details>")
    assert text.endswith("Hello there.\n")
    assert "goodbye" not in text
    assert client.get(f"{URL}/{made['id']}/export", {"as": "pdf"}).status_code == 400


# --- images


@pytest.fixture
def eyes(ada: User) -> str:
    """A chat model that reads pictures."""
    Model.objects.create(
        pk="eyes",
        name="Eyes",
        medium="chat",
        engine="openai",
        source="http://127.0.0.1:9/v1",
        enabled=True,
        options={"model": "m", "vision": True},
    )
    return "eyes"


def upload(client: Client, colour: str = "blue") -> str:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(file, "PNG")
    sent = {"file": SimpleUploadedFile("a.png", file.getvalue(), "image/png")}
    answer = client.post("/api/v1/uploads", sent)
    assert answer.status_code == 201, answer.content
    return str(answer.json()["id"])


def read_by_model(answer: dict[str, Any]) -> list[dict[str, Any]]:
    return cast(list[dict[str, Any]], Job.objects.get(pk=answer["job"]).input["messages"])


def test_a_question_shows_its_images_and_the_model_is_given_them(client: Client, eyes: str) -> None:
    images = [upload(client, "blue"), upload(client, "red")]
    made = start(client, "What is this?", model=eyes, images=images)
    question, answer = made["messages"]
    assert (question["images"], answer["images"]) == (images, [])
    job = Job.objects.get(pk=answer["job"])
    assert job.input["messages"] == [{"role": "user", "content": "What is this?", "images": images}]
    assert {one.name: str(one.upload_id) for one in job.attachments.all()} == {
        "messages.0.images.0": images[0],
        "messages.0.images.1": images[1],
    }


def test_a_model_that_reads_no_pictures_says_so_and_nothing_is_stored(client: Client, eyes: str) -> None:
    image = upload(client)
    error = post(client, URL, {"content": "What is this?", "images": [image]}, status=400)["error"]
    assert (error["code"], error["field"]) == ("bad_request", "images")
    two = {"content": "What is this?", "images": [image], "models": [eyes, "demo-chat"]}
    assert post(client, URL, two, status=400)["error"]["field"] == "images"
    messages = [{"role": "user", "content": "?", "images": [image]}]
    job = {"kind": "chat", "input": {"messages": messages}}
    error = post(client, "/api/v1/jobs", job, status=400)["error"]
    assert error["field"] == "input.messages.0.images"
    assert "demo-chat reads no pictures" in error["message"]
    assert (Conversation.objects.count(), Job.objects.count()) == (0, 0)


def test_nobody_shows_what_another_has_uploaded(client: Client, grace: Client, eyes: str) -> None:
    for missing in (upload(grace), str(uuid.uuid4())):
        body = {"content": "What is this?", "model": eyes, "images": [missing]}
        error = post(client, URL, body, status=404)["error"]
        assert (error["code"], error["field"]) == ("not_found", "images")
        messages = [{"role": "user", "content": "?", "images": [missing]}]
        job = {"kind": "chat", "model": eyes, "input": {"messages": messages}}
        assert post(client, "/api/v1/jobs", job, status=404)["error"]["field"] == "input.messages.0.images.0"
    assert not Job.objects.exists()


def test_more_images_than_the_limit_and_images_of_an_answer_are_refused(client: Client, eyes: str) -> None:
    image = upload(client)
    body = {"content": "What?", "model": eyes, "images": [image] * 9}
    assert "8" in post(client, URL, body, status=400)["error"]["message"]
    for messages, sentence in (
        ([{"role": "user", "content": "?", "images": [image] * 5}] * 2, "10 images together"),
        (
            [{"role": "assistant", "content": "!", "images": [image]}, {"role": "user", "content": "?"}],
            "only a message of the user",
        ),
    ):
        job = {"kind": "chat", "model": eyes, "input": {"messages": messages}}
        assert sentence in post(client, "/api/v1/jobs", job, status=400)["error"]["message"]


def test_later_questions_bring_the_images_again_but_not_to_a_model_that_reads_none(
    client: Client, writer: Writer, eyes: str
) -> None:
    image = upload(client)
    made = answered(client, writer, model=eyes, images=[image])
    url = f"{URL}/{made['id']}/messages"
    again = post(client, url, {"content": "And its colour?", "parent": made["current"]})["messages"][1]
    assert [turn.get("images") for turn in read_by_model(again)] == [[image], None, None]
    other = {"content": "Thanks", "parent": made["current"], "model": "demo-chat"}
    blind = post(client, url, other)["messages"][1]
    assert [turn.get("images") for turn in read_by_model(blind)] == [None, None, None]
    assert not Job.objects.get(pk=blind["job"]).attachments.exists()


def test_of_many_images_the_newest_are_read(client: Client, writer: Writer, eyes: str) -> None:
    first, second = ([upload(client, colour)] * 5 for colour in ("blue", "red"))
    made = answered(client, writer, model=eyes, images=first)
    body = {"content": "And these?", "parent": made["current"], "images": second}
    turns = read_by_model(post(client, f"{URL}/{made['id']}/messages", body)["messages"][1])
    assert [len(turn.get("images", ())) for turn in turns] == [3, 0, 5]


def test_what_is_gone_is_left_out_when_the_conversation_goes_on(
    client: Client, writer: Writer, eyes: str
) -> None:
    made = answered(client, writer, model=eyes, images=[upload(client)])
    erase_jobs([uuid.UUID(made["messages"][1]["job"])])
    assert not Upload.objects.exists()
    url = f"{URL}/{made['id']}/messages"
    asked = post(client, url, {"content": "And?", "parent": made["current"]})["messages"][1]
    assert [turn.get("images") for turn in read_by_model(asked)] == [None, None, None]
    again = post(client, f"{url}/{made['current']}/again")["messages"][-1]
    assert [turn.get("images") for turn in read_by_model(again)] == [None]


def test_with_the_conversation_its_images_are_erased(client: Client, writer: Writer, eyes: str) -> None:
    made = answered(client, writer, model=eyes, images=[upload(client)])
    assert "images" not in json.loads(client.get(f"{URL}/{made['id']}/export").content)["messages"][0]
    client.delete(f"{URL}/{made['id']}")
    Conversation.objects.update(deleted_at=timezone.now() - timedelta(minutes=11))
    services.erase_deleted()
    assert not Upload.objects.exists()
