"""Has the product's own engine paint what the evaluation orders."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from gpu_workers.contract.messages import ImageParams, ModelSpec
from gpu_workers.engines.base import EngineError, FileChunk, Request
from gpu_workers.engines.sdxl import SdxlEngine, load

STEPS = 20
_BATCH = 8


@dataclass(frozen=True, slots=True)
class Order:
    """One picture to paint; `image` and `mask` (white = repaint) make it an image to change."""

    prompt: str
    negative_prompt: str = ""
    seed: int = 0
    image: Image.Image | None = None
    mask: Image.Image | None = None


class Painter:
    """The engine with a loaded model."""

    def __init__(self, engine: SdxlEngine) -> None:
        self._engine = engine

    def paint(self, orders: Sequence[Order], **params: Any) -> list[Image.Image]:
        """The pictures in the order of the orders; `params` are the same for all. Raises EngineError."""
        pictures = []
        for start in range(0, len(orders), _BATCH):
            pictures += self._batch(orders[start : start + _BATCH], params)
        return pictures

    def seconds(self, order: Order) -> float:
        """How long one picture takes, from the request to the file."""
        started_s = time.perf_counter()
        self._batch([order], {})
        return time.perf_counter() - started_s

    def _batch(self, orders: Sequence[Order], params: Mapping[str, Any]) -> list[Image.Image]:
        requests = [_request(order, params) for order in orders]
        files: dict[Request, Image.Image] = {}
        for request, chunk in self._engine.generate(requests):
            if isinstance(chunk, EngineError):
                raise chunk
            if isinstance(chunk, FileChunk):
                files[request] = Image.open(BytesIO(chunk.data)).convert("RGB")
        return [files[request] for request in requests]


@contextmanager
def loaded(folder: Path, **options: Any) -> Iterator[Painter]:
    """The pipeline of a folder, as the demo entry of the catalogue has it."""
    settings = {"default_steps": STEPS, "max_batch": _BATCH, "max_images": _BATCH, **options}
    spec = ModelSpec(
        id="demo-image", medium="image", engine="sdxl", source=str(folder.resolve()), options=settings
    )
    engine = load(spec, lambda _: None)
    try:
        yield Painter(engine)
    finally:
        engine.close()


def _request(order: Order, params: Mapping[str, Any]) -> Request:
    attachments = {
        name: _png(picture)
        for name, picture in (("image", order.image), ("mask", order.mask))
        if picture is not None
    }
    wanted = ImageParams(order.prompt, order.negative_prompt, seed=order.seed, **params)
    return Request(wanted, attachments=attachments)


def _png(picture: Image.Image) -> bytes:
    file = BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()
