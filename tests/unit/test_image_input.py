"""What an image job begins from: uploads, and a mask that needs its image."""

from __future__ import annotations

import io
from typing import Any, cast

import pytest
from asgiref.sync import async_to_sync
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image

from apps.accounts.models import User
from apps.catalog.services import seed_catalog
from apps.jobs.models import Job
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
    assert job.attachments == {"image": image, "mask": mask}
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
