"""Stands for a gpu worker that paints: writes what a test wants into the log of an image job."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from PIL import Image
from redis import Redis

from apps.jobs.services import settle
from apps.jobs.stream import job_log
from deploy.local.redis_server import RedisServer
from gpu_workers.contract.events import Artifact, Event, Finished
from gpu_workers.engines.png import write_png
from gpu_workers.publish import Publisher

MODEL = "demo-image"
END = Finished(usage={"images": 1}, finish_reason="stop")


def picture_bytes(seed: int, *, prompt: str = "a red house", width: int = 64, height: int = 48) -> bytes:
    """A file as the image engine writes it; another seed has another colour."""
    image = Image.new("RGB", (width, height), (seed % 256, seed // 256 % 256, 120))
    said = {
        "prompt": prompt,
        "seed": seed,
        "steps": 8,
        "scheduler": "euler",
        "width": width,
        "height": height,
        "model": MODEL,
    }
    return write_png(image, said)


class Painter:
    """Paints the pictures of jobs."""

    def __init__(self, redis: Redis) -> None:
        self.publisher = Publisher(redis, job_log())

    def paint(
        self, job_id: str, files: Sequence[bytes], end: Event = END, *, first_seed: int = 7
    ) -> list[str]:
        """Write these files and the end, and have the job settled; the artifacts' ids."""
        claim = job_log().claim(job_id, 1, "worker", MODEL)
        assert claim.answer == "ok"
        outbox = self.publisher.open(job_id, 1, "worker", claim.number)
        ids = [uuid.uuid4() for _ in files]
        for number, (id_, data) in enumerate(zip(ids, files, strict=True)):
            job_log().put_bytes(job_id, id_.hex, data, 60)
            url = f"/api/v1/jobs/{job_id}/artifacts/{id_.hex}"
            self.publisher.emit(
                outbox,
                Artifact(
                    id=id_.hex, url=url, media_type="image/png", width=64, height=48, seed=first_seed + number
                ),
            )
        self.publisher.emit(outbox, end)
        assert outbox.ended.wait(5)
        assert settle(job_id)
        return [str(id_) for id_ in ids]


@contextmanager
def painting(server: RedisServer) -> Iterator[Painter]:
    """A painter at work."""
    painter = Painter(Redis.from_url(server.url))
    painter.publisher.start()
    yield painter
    painter.publisher.close()
