"""`/api/v1/pictures`: what image jobs make, once each, in the gallery of the one who asked."""

from __future__ import annotations

import asyncio
import io
import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from importlib import import_module
from typing import Any, cast
from urllib.parse import quote
from xml.etree import ElementTree

import pytest
from django.apps import apps as django_apps
from django.core.files.storage import default_storage
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from PIL import Image
from pytest_django import DjangoAssertNumQueries

from apps.accounts.models import User
from apps.accounts.services import actor_for_session
from apps.catalog.services import seed_catalog
from apps.image import selectors, services, thumbnails
from apps.image.models import Picture
from apps.jobs.models import Artifact, Job
from apps.jobs.services import settle
from apps.jobs.stream import job_log
from deploy.local.redis_server import RedisServer
from gpu_workers.contract.events import Cancelled, Failed
from gpu_workers.engines.png import read_parameters
from tests.unit.accounts_people import make_user
from tests.unit.painter import Painter, painting, picture_bytes

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("run_redis")]

URL, BOARDS = "/api/v1/pictures", "/api/v1/boards"


@pytest.fixture
def painter(run_redis: RedisServer) -> Iterator[Painter]:
    with painting(run_redis) as painter:
        yield painter


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


def submit(client: Client, prompt: str = "a red house", **more: Any) -> str:
    body = {"kind": "image", "input": {"prompt": prompt, **more}}
    answer = client.post("/api/v1/jobs", body, content_type="application/json")
    assert answer.status_code == 202, answer.content
    return str(answer.json()["id"])


def paint(client: Client, painter: Painter, prompt: str = "a red house", *, count: int = 1) -> list[str]:
    """The pictures of a job that has ended."""
    files = [picture_bytes(7 + number, prompt=prompt) for number in range(count)]
    return painter.paint(submit(client, prompt, count=count), files)


def get(client: Client, path: str, status: int = 200, **query: Any) -> dict[str, Any]:
    answer = client.get(path, query)
    assert answer.status_code == status, answer.content
    return cast(dict[str, Any], answer.json())


def post(client: Client, path: str, body: Any, status: int = 200) -> dict[str, Any]:
    answer = client.post(path, body, content_type="application/json")
    assert answer.status_code == status, answer.content
    return cast(dict[str, Any], answer.json())


def patch(client: Client, path: str, body: Any, status: int = 200) -> dict[str, Any]:
    answer = client.patch(path, body, content_type="application/json")
    assert answer.status_code == status, answer.content
    return cast(dict[str, Any], answer.json())


def file_of(client: Client, path: str, **query: str) -> bytes:
    """The whole file, which comes in chunks."""
    answer = cast(Any, client.get(path, query))
    assert answer.status_code == 200, answer.content

    async def read() -> bytes:
        return b"".join([chunk async for chunk in answer.streaming_content])

    return asyncio.run(read())


def listed(client: Client, **query: Any) -> list[str]:
    return [found["id"] for found in get(client, URL, **query)["results"]]


def add_rows(like: Picture, number: int) -> None:
    """More pictures of the same job, older ones, straight into the tables."""
    before = Picture.objects.count()
    ids = [uuid.uuid4() for _ in range(number)]
    Artifact.objects.bulk_create(
        [
            Artifact(id=id_, job_id=like.job_id, media_type="image/png", size=1, sha256=str(id_), file="none")
            for id_ in ids
        ]
    )
    Picture.objects.bulk_create(
        [
            Picture(
                artifact_id=id_,
                job_id=like.job_id,
                workspace_id=like.workspace_id,
                owner_id=like.owner_id,
                prompt=f"house number {before + index}.",
                model=like.model,
                width=64,
                height=48,
                created_at=like.created_at - timedelta(seconds=before + index),
            )
            for index, id_ in enumerate(ids)
        ]
    )


def row_of(picture: str) -> Picture:
    return Picture.objects.select_related("artifact").get(pk=uuid.UUID(picture))


def stored_names(picture: str) -> list[str]:
    """What of it is in the storage."""
    row = row_of(picture)
    return [name for name in (row.artifact.file, row.thumbnail) if name]


def delete_long_ago(client: Client, picture: str) -> None:
    assert client.delete(f"{URL}/{picture}").status_code == 204
    Picture.objects.filter(pk=uuid.UUID(picture)).update(deleted_at=timezone.now() - services.UNDO_TIME)


# --- keeping


@pytest.mark.usefixtures("ada")
def test_each_picture_of_a_job_is_in_the_gallery_once_and_says_how_it_was_made(
    client: Client, painter: Painter
) -> None:
    job = submit(client, "a red house", count=2, width=64, height=48)
    ids = painter.paint(job, [picture_bytes(7), picture_bytes(8)])
    settle(job)
    assert listed(client) == ids[::-1]
    second = get(client, f"{URL}/{ids[1]}")
    assert (second["job"], second["model"], second["seed"]) == (job, "demo-image", 8)
    assert second["input"] == {
        "prompt": "a red house",
        "negative_prompt": "",
        "count": 2,
        "width": 64,
        "height": 48,
        "seed": 8,
    }
    assert second["parameters"]["steps"] == 8
    assert (second["width"], second["height"]) == (64, 48)
    assert file_of(client, second["file"]) == picture_bytes(8)


@pytest.mark.usefixtures("ada")
def test_what_its_input_says_can_be_asked_again_as_it_is(client: Client, painter: Painter) -> None:
    (picture,) = paint(client, painter)
    asked = get(client, f"{URL}/{picture}")["input"]
    again = submit(client, **asked)
    assert Job.objects.get(pk=again).input == asked


@pytest.mark.usefixtures("ada")
@pytest.mark.parametrize("end", [Cancelled(), Failed("out_of_memory", "Too large.", retryable=True)])
def test_what_was_painted_before_the_job_was_cut_short_is_kept(
    client: Client, painter: Painter, end: Cancelled | Failed
) -> None:
    ids = painter.paint(submit(client, count=4), [picture_bytes(7)], end)
    assert listed(client) == ids


@pytest.mark.usefixtures("ada")
def test_a_job_that_the_product_asked_for_itself_leaves_nothing_in_the_gallery(
    client: Client, painter: Painter
) -> None:
    job = submit(client)
    Job.objects.update(purpose="test")
    painter.paint(job, [picture_bytes(7)])
    assert listed(client) == []


@pytest.mark.usefixtures("ada")
def test_a_file_that_is_no_picture_does_not_keep_its_job_from_ending(
    client: Client, painter: Painter
) -> None:
    job = submit(client)
    painter.paint(job, [b"no picture", picture_bytes(7)])
    assert Job.objects.get(pk=job).status == "succeeded"
    assert Picture.objects.count() == 1


def test_pictures_of_jobs_from_before_there_was_a_gallery_are_kept_once(
    client: Client, ada: User, painter: Painter
) -> None:
    job = submit(client, count=2, seed=7)
    ids = painter.paint(job, [picture_bytes(7), picture_bytes(8)])
    as_kept = [get(client, f"{URL}/{id_}") for id_ in ids]
    Picture.objects.all().delete()
    submit(client, "one that has not ended")
    migration = import_module("apps.image.migrations.0002_pictures_of_earlier_jobs")
    for _ in range(2):
        migration.keep_earlier_pictures(django_apps, None)
    assert listed(client) == ids[::-1]
    # What else was used is in the files, and the migration opens none.
    assert [get(client, f"{URL}/{id_}") for id_ in ids] == [{**kept, "parameters": {}} for kept in as_kept]
    assert Picture.objects.filter(owner=ada).count() == 2


# --- finding


@pytest.mark.usefixtures("ada")
def test_a_list_is_narrowed_by_all_of_its_filters(client: Client, painter: Painter) -> None:
    (red,) = paint(client, painter, "A red house by the sea")
    (blue,) = paint(client, painter, "A blue HOUSE")
    (lake,) = paint(client, painter, "雪山下的湖，日落")
    board = post(client, BOARDS, {"name": "Houses"}, status=201)["id"]
    patch(client, URL, {"pictures": [red, blue], "board": board})
    patch(client, f"{URL}/{blue}", {"favourite": True})
    Picture.objects.filter(pk=uuid.UUID(lake)).update(model="another")
    assert listed(client) == [lake, blue, red]
    assert listed(client, search="house") == [blue, red]
    assert listed(client, search="sea  RED") == [red]
    assert listed(client, search="雪山") == [lake]
    assert listed(client, search="日落 湖") == [lake]
    assert listed(client, search="%") == []
    assert listed(client, board=board) == [blue, red]
    assert listed(client, board="none") == [lake]
    assert listed(client, favourite=True) == [blue]
    assert listed(client, model="another") == [lake]
    assert listed(client, board=board, search="red", favourite=False) == [red]
    assert get(client, f"{URL}/ids", search="house")["ids"] == [blue, red]


@pytest.mark.usefixtures("ada")
def test_the_counts_say_what_each_place_holds(client: Client, painter: Painter) -> None:
    pictures = paint(client, painter, count=3)
    board = post(client, BOARDS, {"name": "Houses"}, status=201)["id"]
    patch(client, URL, {"pictures": pictures[:2], "board": board, "favourite": True})
    client.delete(f"{URL}/{pictures[0]}")
    assert get(client, f"{URL}/counts", search="green") == {
        "found": 0,
        "all": 2,
        "favourites": 1,
        "unfiled": 1,
        "models": [{"model": "demo-image", "count": 2}],
    }
    cover = f"{URL}/{pictures[1]}/thumbnail"
    assert get(client, BOARDS)["results"] == [{"id": board, "name": "Houses", "count": 1, "cover": cover}]


@pytest.mark.usefixtures("ada")
def test_a_page_of_ten_thousand_pictures_costs_as_many_queries_as_a_page_of_ten(
    client: Client, painter: Painter, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    (first,) = paint(client, painter)
    add_rows(row_of(first), 9)
    with CaptureQueriesContext(connection) as queries:
        assert len(listed(client, limit=200)) == 10
    add_rows(row_of(first), 9_990)
    address = f"{URL}?limit=200"
    for _ in range(3):
        with django_assert_num_queries(len(queries)):
            page = get(client, address)
        assert len(page["results"]) == 200
        address = page["next"]
    with django_assert_num_queries(len(queries)):
        assert len(listed(client, limit=200, search="number 4242")) == 1
    assert len(get(client, f"{URL}/ids")["ids"]) == 10_000


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        ({}, "picture_owner_newest"),
        ({"favourite": True}, "picture_favourites_newest"),
        ({"board": str(uuid.uuid4())}, "picture_board_newest"),
    ],
)
def test_each_list_is_read_along_its_index_without_sorting(
    ada: User, wanted: dict[str, Any], index: str
) -> None:
    page = selectors.list_pictures(actor_for_session(ada), **wanted).order_by("-created_at")[:100]
    plan = page.explain()
    assert index in plan
    assert "TEMP B-TREE" not in plan


# --- marking and filing


@pytest.mark.usefixtures("ada")
def test_a_board_is_named_once_and_leaves_its_pictures_when_it_goes(client: Client, painter: Painter) -> None:
    (picture,) = paint(client, painter)
    board = post(client, BOARDS, {"name": " Houses "}, status=201)
    assert board["name"] == "Houses"
    error = post(client, BOARDS, {"name": "Houses"}, status=409)["error"]
    assert (error["code"], error["field"]) == ("conflict", "name")
    other = post(client, BOARDS, {"name": "Lakes"}, status=201)
    patch(client, f"{BOARDS}/{other['id']}", {"name": "Houses"}, status=409)
    assert patch(client, f"{BOARDS}/{other['id']}", {"name": "Seas"})["name"] == "Seas"
    assert patch(client, f"{URL}/{picture}", {"board": board["id"]})["board"] == board["id"]
    assert client.delete(f"{BOARDS}/{board['id']}").status_code == 204
    assert get(client, f"{URL}/{picture}")["board"] is None


@pytest.mark.usefixtures("ada")
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"pictures": [], "favourite": True}, "pictures"),
        ({"pictures": ["x"], "favourite": True}, "pictures"),
        ({"pictures": [str(uuid.uuid4())] * 10_001, "favourite": True}, "pictures"),
        ({"pictures": [str(uuid.uuid4())]}, ""),
        ({"pictures": [str(uuid.uuid4())], "favourite": "perhaps"}, "favourite"),
    ],
)
def test_a_change_that_cannot_be_made_is_refused(client: Client, body: Any, field: str) -> None:
    error = patch(client, URL, body, status=400)["error"]
    assert error["code"] == "bad_request"
    assert error.get("field", "").startswith(field)


# --- deleting


@pytest.fixture
def erase(
    django_capture_on_commit_callbacks: Callable[..., AbstractContextManager[object]],
) -> Callable[[], None]:
    """What the cpu worker does every minute, with its commit: files go only after that."""

    def run() -> None:
        with django_capture_on_commit_callbacks(execute=True):
            services.erase_deleted()

    return run


@pytest.mark.usefixtures("ada")
def test_a_deleted_picture_is_gone_at_once_and_comes_back_as_it_was(
    client: Client, painter: Painter, erase: Callable[[], None]
) -> None:
    (picture,) = paint(client, painter)
    patch(client, f"{URL}/{picture}", {"favourite": True})
    before = get(client, f"{URL}/{picture}")
    assert client.delete(f"{URL}/{picture}").status_code == 204
    for path in ("", "/file"):
        get(client, f"{URL}/{picture}{path}", status=404)
    patch(client, f"{URL}/{picture}", {"favourite": False}, status=404)
    erase()
    assert listed(client) == []
    assert post(client, f"{URL}/restore", {"pictures": [picture]}) == {"changed": 1}
    assert get(client, f"{URL}/{picture}") == before
    erase()
    assert listed(client) == [picture]


@pytest.mark.usefixtures("ada")
def test_ten_minutes_later_no_file_and_no_prompt_is_left(
    client: Client, painter: Painter, erase: Callable[[], None]
) -> None:
    (picture,) = paint(client, painter, "a secret house")
    thumbnails.make_thumbnail(row_of(picture))
    names = stored_names(picture)
    assert len(names) == 2
    assert all(default_storage.exists(name) for name in names)
    delete_long_ago(client, picture)
    assert post(client, f"{URL}/restore", {"pictures": [picture]}) == {"changed": 0}
    erase()
    assert not any(default_storage.exists(name) for name in names)
    assert not Job.objects.exists()
    assert not Artifact.objects.exists()
    assert not Picture.objects.exists()


@pytest.mark.usefixtures("ada")
def test_a_job_stays_as_long_as_one_of_its_pictures_does(
    client: Client, painter: Painter, erase: Callable[[], None]
) -> None:
    first, second = paint(client, painter, count=2)
    job = get(client, f"{URL}/{first}")["job"]
    (gone,) = stored_names(first)
    delete_long_ago(client, first)
    erase()
    assert not default_storage.exists(gone)
    made = get(client, f"/api/v1/jobs/{job}")["result"]["artifacts"]
    assert [uuid.UUID(artifact["id"]) for artifact in made] == [uuid.UUID(second)]
    assert not job_log().read(job)  # readers are told what the row says
    get(client, f"/api/v1/jobs/{job}/artifacts/{first}", status=404)
    assert file_of(client, f"{URL}/{second}/file") == picture_bytes(8)
    delete_long_ago(client, second)
    erase()
    get(client, f"/api/v1/jobs/{job}", status=404)


@pytest.mark.usefixtures("ada")
def test_a_file_that_another_picture_shares_stays_until_that_goes(
    client: Client, painter: Painter, erase: Callable[[], None]
) -> None:
    (first,), (second,) = paint(client, painter), paint(client, painter)
    (name,) = stored_names(first)
    assert stored_names(second) == [name]
    delete_long_ago(client, first)
    erase()
    assert file_of(client, f"{URL}/{second}/file") == picture_bytes(7)
    delete_long_ago(client, second)
    erase()
    assert not default_storage.exists(name)


# --- files


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("ada")
def test_a_thumbnail_is_a_small_webp_that_is_made_once_and_again_when_it_is_lost(
    client: Client, painter: Painter
) -> None:
    (picture,) = painter.paint(submit(client), [picture_bytes(7, width=1200, height=800)])
    address = get(client, f"{URL}/{picture}")["thumbnail"]
    answer = client.get(address)
    assert answer.headers["Content-Type"] == "image/webp"
    assert answer.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    assert Image.open(io.BytesIO(answer.content)).size == (384, 256)
    assert len(answer.content) < 25_000
    name = row_of(picture).thumbnail
    assert client.get(address).content == answer.content
    assert row_of(picture).thumbnail == name
    default_storage.delete(name)
    assert client.get(address).content == answer.content
    assert default_storage.exists(row_of(picture).thumbnail)
    assert client.post(address).status_code == 405


@pytest.mark.usefixtures("ada")
def test_of_two_that_make_a_thumbnail_at_once_one_file_is_kept(client: Client, painter: Painter) -> None:
    (id_,) = paint(client, painter)
    first, second = row_of(id_), row_of(id_)
    assert thumbnails.make_thumbnail(first) == thumbnails.make_thumbnail(second)
    folder = f"thumbnails/{first.pk.hex[:2]}"
    kept = [f"{folder}/{name}" for name in default_storage.listdir(folder)[1] if str(first.pk) in name]
    assert kept == [row_of(id_).thumbnail]


@pytest.mark.usefixtures("ada")
@pytest.mark.parametrize("form", ["jpeg", "webp"])
def test_a_download_in_another_format_says_in_exif_and_xmp_how_it_was_made(
    client: Client, painter: Painter, form: str
) -> None:
    prompt = "雪山 <lake> & sea"
    (picture,) = painter.paint(submit(client, prompt), [picture_bytes(7, prompt=prompt)])
    answer = client.get(f"{URL}/{picture}/file", {"as": form})
    assert answer.headers["Content-Type"] == f"image/{form}"
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert quote("雪山-lake-sea-7.") in answer.headers["Content-Disposition"]
    image = Image.open(io.BytesIO(answer.content))
    assert (image.format or "").lower() == form
    comment = image.getexif().get_ifd(0x8769)[0x9286]
    assert comment.startswith(b"UNICODE\0")
    assert comment[8:].decode("utf-16-be").startswith(f"{prompt}\nSteps: 8, Sampler: euler, Seed: 7")
    packet = ElementTree.fromstring(image.info["xmp"].decode().partition("?>")[2].rpartition("<?")[0])  # noqa: S314
    (values,) = packet.iter("{urn:aigc-studio:picture}parameters")
    assert json.loads(values.text or "") == get(client, f"{URL}/{picture}")["parameters"]
    assert json.loads(values.text or "")["prompt"] == prompt


@pytest.mark.usefixtures("ada")
def test_a_download_as_png_is_the_file_of_the_worker(client: Client, painter: Painter) -> None:
    (picture,) = paint(client, painter)
    address = f"{URL}/{picture}/file"
    said = client.get(address, {"as": "png"}).headers["Content-Disposition"]
    assert said == 'attachment; filename="a-red-house-7.png"'
    data = file_of(client, address, **{"as": "png"})
    assert data == picture_bytes(7)
    assert read_parameters(data).values["seed"] == 7
    assert get(client, address, status=400, **{"as": "gif"})["error"]["field"] == "as"


# --- whose they are


@pytest.mark.usefixtures("ada")
@pytest.mark.parametrize("path", ["", "/file", "/file?as=jpeg"])
def test_nobody_else_reads_it(client: Client, grace: Client, painter: Painter, path: str) -> None:
    (picture,) = paint(client, painter)
    get(grace, f"{URL}/{picture}{path}", status=404)
    assert Client().get(f"{URL}/{picture}{path}").status_code == 401


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("ada")
def test_a_thumbnail_is_its_owners_alone_and_gone_with_its_picture(
    client: Client, grace: Client, painter: Painter
) -> None:
    (picture,) = paint(client, painter)
    address = f"{URL}/{picture}/thumbnail"
    assert client.get(address).status_code == 200
    get(grace, address, status=404)
    assert Client().get(address).status_code == 401
    client.delete(f"{URL}/{picture}")
    get(client, address, status=404)


@pytest.mark.usefixtures("ada")
def test_nobody_else_changes_it_or_learns_that_it_is_there(
    client: Client, grace: Client, painter: Painter
) -> None:
    (picture,) = paint(client, painter)
    board = post(client, BOARDS, {"name": "Houses"}, status=201)["id"]
    hers = post(grace, BOARDS, {"name": "Houses"}, status=201)["id"]
    before = get(client, f"{URL}/{picture}")
    patch(grace, f"{URL}/{picture}", {"favourite": True}, status=404)
    patch(client, f"{URL}/{picture}", {"board": hers}, status=404)
    assert grace.delete(f"{URL}/{picture}").status_code == 404
    assert patch(grace, URL, {"pictures": [picture], "favourite": True}) == {"changed": 0}
    assert post(grace, f"{URL}/delete", {"pictures": [picture]}) == {"changed": 0}
    client.delete(f"{URL}/{picture}")
    assert post(grace, f"{URL}/restore", {"pictures": [picture]}) == {"changed": 0}
    assert post(client, f"{URL}/restore", {"pictures": [picture]}) == {"changed": 1}
    patch(grace, f"{BOARDS}/{board}", {"name": "Mine"}, status=404)
    assert grace.delete(f"{BOARDS}/{board}").status_code == 404
    assert get(client, f"{URL}/{picture}") == before
    assert listed(grace) == []
    assert listed(grace, board=board) == []
    assert get(grace, f"{URL}/ids")["ids"] == []
    assert get(grace, f"{URL}/counts")["all"] == 0
    assert [found["id"] for found in get(grace, BOARDS)["results"]] == [hers]


@pytest.mark.parametrize("path", ["", "/ids", "/counts"])
def test_who_is_not_signed_in_is_told_so(path: str) -> None:
    assert Client().get(URL + path).status_code == 401
    assert Client().get(BOARDS).status_code == 401
