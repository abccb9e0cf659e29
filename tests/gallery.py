"""A gallery of thousands, straight into the tables and the storage: nobody has to paint them.

Run inside the product: `manage.py shell -c "from tests.gallery import fill; fill('ada@example.org', 10_000)"`.
"""

from __future__ import annotations

import hashlib
import io
import uuid
from datetime import timedelta

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone
from PIL import Image, ImageDraw

from apps.accounts.models import User
from apps.accounts.services import actor_for_session
from apps.image.models import Picture
from apps.image.thumbnails import make_thumbnail
from apps.jobs.models import Artifact, Job
from gpu_workers.engines.png import write_png

SIZES = ((512, 512), (640, 448), (448, 640), (768, 432), (512, 512))
PROMPTS = ("a red house by the sea", "a lake in the mountains", "雪山下的湖", "a small boat", "日落时的城市")
MODEL = "demo-image"


def fill(email: str, number: int) -> None:
    """Give this person so many pictures, the newest one first by its number, of a few real files."""
    owner = User.objects.get(email=email)
    workspace_id = actor_for_session(owner).workspace_id
    files = [_store(index) for index in range(len(SIZES))]
    jobs, artifacts, pictures = [], [], []
    for index in range(number):
        kind = index % len(SIZES)
        width, height = SIZES[kind]
        sha256, name, size = files[kind]
        made_at = timezone.now() - timedelta(minutes=index + 1)
        artifact_id = uuid.uuid4()
        prompt = f"{PROMPTS[kind]}, number {index}."
        url = f"/api/v1/jobs/none/artifacts/{artifact_id.hex}"
        job = Job(
            workspace_id=workspace_id,
            owner=owner,
            kind="image",
            input={"prompt": prompt, "negative_prompt": "text", "count": 1, "seed": index},
            model=MODEL,
            spec={"id": MODEL},
            input_digest=str(index),
            status="succeeded",
            created_at=made_at,
            started_at=made_at,
            finished_at=made_at,
            result={
                "artifacts": [{"id": artifact_id.hex, "url": url, "media_type": "image/png", "seed": index}]
            },
        )
        artifact = Artifact(
            id=artifact_id, job=job, media_type="image/png", size=size, sha256=sha256, file=name
        )
        picture = Picture(
            artifact=artifact,
            job=job,
            workspace_id=workspace_id,
            owner=owner,
            prompt=prompt,
            model=MODEL if index % 10 else "another-model",
            seed=index,
            width=width,
            height=height,
            parameters={"steps": 8, "scheduler": "euler", "guidance": 4.5},
            created_at=made_at,
        )
        jobs.append(job)
        artifacts.append(artifact)
        pictures.append(picture)
    with transaction.atomic():
        Job.objects.bulk_create(jobs, 500)
        Artifact.objects.bulk_create(artifacts, 500)
        Picture.objects.bulk_create(pictures, 500)
    _make_thumbnails(pictures)


def _make_thumbnails(pictures: list[Picture]) -> None:
    """All but the first hundred have been looked at before; pictures of one file have one thumbnail here."""
    for kind in range(len(SIZES)):
        alike = [picture.pk for index, picture in enumerate(pictures) if index % len(SIZES) == kind]
        seen = alike[100 // len(SIZES) :]
        if seen:
            make_thumbnail(Picture.objects.select_related("artifact").get(pk=seen[0]))
            name = Picture.objects.get(pk=seen[0]).thumbnail
            Picture.objects.filter(pk__in=seen).update(thumbnail=name)


def _store(index: int) -> tuple[str, str, int]:
    """Digest, name and size of a picture's file."""
    data = write_png(_paint(index), {"prompt": PROMPTS[index], "seed": index, "model": MODEL})
    digest = hashlib.sha256(data).hexdigest()
    file = io.BytesIO(data)
    name = default_storage.save(f"artifacts/{digest[:2]}/{digest}.png", ContentFile(file.read()))
    return digest, name, len(data)


def _paint(index: int) -> Image.Image:
    """A sky, a sun and hills, so that one sees which picture it is."""
    width, height = SIZES[index]
    image = Image.new("RGB", (width, height))
    draw = ImageDraw.Draw(image)
    for y in range(height):
        share = y / height
        draw.line(
            [(0, y), (width, y)],
            fill=(int(60 + 180 * share), 70 + 25 * index, int(200 - 120 * share)),
        )
    draw.ellipse([width * 0.6, height * 0.2, width * 0.6 + 90, height * 0.2 + 90], fill=(255, 230, 170))
    draw.polygon([(0, height), (width * 0.4, height * 0.45), (width, height)], fill=(40, 45 + 15 * index, 80))
    return image
