"""What an image job begins from: uploads, and a mask that needs its image."""

from __future__ import annotations

import io
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any, cast

import pytest
from asgiref.sync import async_to_sync
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from PIL import Image

from apps.accounts.models import User
from apps.catalog.services import seed_catalog
from apps.jobs.models import Job, Upload
from apps.jobs.services import erase_jobs, erase_unused_uploads
from tests.unit.accounts_people import make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("run_redis")]


@pytest.fixture
def ada(client: Client) -> User:
    seed_catalog()
    user = make_user("ada")
    client.force_login(user)
    return user


def png(colour: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (64, 32), colour).save(file, "PNG")
    return file.getvalue()


def upload(client: Client, data: bytes) -> str:
    answer = client.post("/api/v1/uploads", {"file": SimpleUploadedFile("a.png", data, "image/png")})
    assert answer.status_code == 201, answer.content
    return str(answer.json()["id"])


def submit(client: Client, status: int, **given: Any) -> dict[str, Any]:
    body = {"kind": "image", "input": {"prompt": "a lake", **given}}
    answer = client.post("/api/v1/jobs", body, content_type="application/json")
    assert answer.status_code == status, answer.content
    return cast(dict[str, Any], answer.json())


@pytest.mark.usefixtures("ada")
@pytest.mark.parametrize("field", ["mask", "strength"])
def test_what_needs_an_image_says_so_by_its_field(client: Client, field: str) -> None:
    value = upload(client, png("white")) if field == "mask" else 0.5
    error = submit(client, 400, **{field: value})["error"]
    assert error["field"] == f"input.{field}"
    assert f"{field} needs image" in error["message"]


@pytest.mark.usefixtures("ada")
def test_a_wrong_image_is_the_one_fault_of_a_masked_job(client: Client) -> None:
    error = submit(client, 400, image="nothing", mask=upload(client, png("white")))["error"]
    assert (error["field"], error.get("fields")) == ("input.image", None)


@pytest.mark.usefixtures("ada")
def test_a_job_keeps_its_image_and_mask(client: Client) -> None:
    image, mask = upload(client, png("blue")), upload(client, png("white"))
    job = Job.objects.get(pk=submit(client, 202, image=image, mask=mask)["id"])
    assert {one.name: str(one.upload_id) for one in job.attachments.all()} == {"image": image, "mask": mask}
    assert (job.input["image"], job.input["mask"]) == (image, mask)


@pytest.mark.usefixtures("ada")
def test_an_upload_is_read_again_byte_by_byte(client: Client) -> None:
    answer = client.get(f"/api/v1/uploads/{upload(client, png('blue'))}/file")
    assert (answer.status_code, answer["Content-Type"]) == (200, "image/png")
    assert answer["Cache-Control"].startswith("private")

    async def read() -> bytes:
        return b"".join([piece async for piece in cast(Any, answer).streaming_content])

    assert async_to_sync(read)() == png("blue")


@pytest.mark.usefixtures("ada")
def test_an_upload_is_only_its_owners(client: Client) -> None:
    address = f"/api/v1/uploads/{upload(client, png('blue'))}/file"
    client.force_login(make_user("grace"))
    assert client.get(address).status_code == 404
    assert client.get("/api/v1/uploads/nothing/file").status_code == 404
    client.logout()
    assert client.get(address).status_code == 401


@pytest.mark.usefixtures("ada")
def test_what_was_never_uploaded_or_by_another_leaves_no_job(client: Client) -> None:
    other = Client()
    other.force_login(make_user("grace"))
    for missing in (str(uuid.uuid4()), upload(other, png("blue"))):
        error = submit(client, 404, image=missing)["error"]
        assert (error["code"], error["field"]) == ("not_found", "input.image")
        assert "upload it again" in error["message"]
    assert not Job.objects.exists()


# --- erasing


@pytest.fixture
def committed(
    django_capture_on_commit_callbacks: Callable[..., AbstractContextManager[object]],
) -> Callable[[Callable[[], object]], None]:
    """Do it as the cpu worker does, with its commit: files go only after that."""

    def run(act: Callable[[], object]) -> None:
        with django_capture_on_commit_callbacks(execute=True):
            act()

    return run


def end(*jobs: str) -> list[uuid.UUID]:
    Job.objects.filter(pk__in=jobs).update(status="cancelled", finished_at=timezone.now())
    return [uuid.UUID(job) for job in jobs]


def stored(*uploads: str) -> list[str]:
    """Their files, in the order asked for."""
    return [Upload.objects.get(pk=upload).file for upload in uploads]


def test_with_its_last_job_an_upload_goes_and_its_file(
    client: Client, ada: User, committed: Callable[[Callable[[], object]], None]
) -> None:
    image, mask = upload(client, png("blue")), upload(client, png("white"))
    files = stored(image, mask)
    first, second = submit(client, 202, image=image, mask=mask)["id"], submit(client, 202, image=image)["id"]
    committed(lambda: erase_jobs(end(first)))
    assert [default_storage.exists(file) for file in files] == [True, False]
    assert [str(row.pk) for row in Upload.objects.filter(owner=ada)] == [image]
    committed(lambda: erase_jobs(end(second)))
    assert not default_storage.exists(files[0])
    assert not Upload.objects.exists()


@pytest.mark.usefixtures("ada")
def test_an_upload_that_no_job_took_goes_after_two_days(client: Client) -> None:
    used, unused, new = (upload(client, png(colour)) for colour in ("blue", "white", "red"))
    files = stored(used), stored(unused), stored(new)
    submit(client, 202, image=used)
    long_ago = timezone.now() - timedelta(days=2, minutes=1)
    Upload.objects.filter(pk__in=[used, unused]).update(created_at=long_ago)
    erase_unused_uploads()
    assert [default_storage.exists(name) for (name,) in files] == [True, False, True]
    assert {str(row.pk) for row in Upload.objects.all()} == {used, new}


@pytest.mark.usefixtures("ada")
def test_a_file_that_two_people_gave_stays_until_both_uploads_are_gone(client: Client) -> None:
    other = Client()
    other.force_login(make_user("grace"))
    mine, theirs = upload(client, png("blue")), upload(other, png("blue"))
    (name,) = set(stored(mine, theirs))
    for left, gone in ((True, mine), (False, theirs)):
        Upload.objects.filter(pk=gone).update(created_at=timezone.now() - timedelta(days=3))
        erase_unused_uploads()
        assert default_storage.exists(name) is left
