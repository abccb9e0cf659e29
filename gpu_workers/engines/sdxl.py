"""The image engine: Stable Diffusion XL by diffusers. Options of a model: see `sdxl_plan.Settings`.

Every random draw of an image comes from a generator of its own, on the CPU, seeded with the request's seed
plus the image's number in the request. So an image is the same alone or in a batch, up to rounding.
"""

from __future__ import annotations

import gpu_workers.engines.torchaudio_import  # noqa: F401  # isort: skip  # before diffusers: see there

import gc
import secrets
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

import torch
from diffusers import (
    StableDiffusionXLImg2ImgPipeline,
    StableDiffusionXLInpaintPipeline,
    StableDiffusionXLPipeline,
)
from PIL import Image

from gpu_workers.contract.messages import ModelSpec
from gpu_workers.engines.base import (
    Chunk,
    DoneChunk,
    EngineError,
    FileChunk,
    PreviewChunk,
    ProgressCallback,
    Request,
    StepChunk,
)
from gpu_workers.engines.device import module_bytes, pick_device
from gpu_workers.engines.latent_preview import LatentPreview
from gpu_workers.engines.png import write_png
from gpu_workers.engines.sdxl_files import load_pipeline, networks, place
from gpu_workers.engines.sdxl_plan import Mode, Pictures, Plan, Settings, load_pictures, make_plan
from gpu_workers.engines.sdxl_schedulers import NAMES, make_scheduler, shown_name
from gpu_workers.engines.sdxl_vae import decode, full_precision

PREVIEW_INTERVAL_S = 0.5
MAX_PREVIEWS = 10
DRAWN_SEEDS = 2**32

_INPAINTING_CHANNELS = 9
_Emit = Callable[[Request, Chunk], None]


def load(spec: ModelSpec, progress: ProgressCallback) -> SdxlEngine:
    """Load the model; progress counts its seven parts.

    Raises EngineError: `bad_options`, `bad_model`, `out_of_memory`, or what `source.resolve` raises.
    """
    settings = Settings.from_spec(spec)
    if spec.quantization != "none":
        raise EngineError(
            "quantization_unsupported",
            f"Model {spec.id} wants quantization {spec.quantization!r}; image models run in half precision "
            "or float32: set it to none, and `offload` to model if memory is short.",
        )
    device = pick_device()
    try:
        return SdxlEngine(spec, load_pipeline(spec, settings, device, progress), settings, device)
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
    _free_memory(device)
    raise EngineError(
        "out_of_memory", f"Model {spec.id} does not fit into the memory of {device} now.", retryable=True
    )


class SdxlEngine:
    """A loaded SDXL, for text-to-image, image-to-image and inpainting with one set of weights.

    The pipelines are not made for several runs at once, so all runs happen on the engine's one thread, batch
    after batch; `generate` only hands over and listens.
    """

    def __init__(
        self, spec: ModelSpec, pipeline: StableDiffusionXLPipeline, settings: Settings, device: str
    ) -> None:
        self._spec, self._settings, self._device = spec, settings, device
        self.max_batch = settings.max_batch or (8 if device == "cuda" else 4)
        self.max_wait_s = settings.max_wait_s
        self._max_images = settings.max_images or self.max_batch
        self._base = pipeline
        self._own_scheduler = pipeline.scheduler
        with full_precision(pipeline.vae):
            self._preview = LatentPreview.of(pipeline.vae)
        self._pipelines = _pipelines(pipeline)
        place(pipeline, settings, device)
        side = pipeline.default_sample_size * pipeline.vae_scale_factor
        self._default_size = (side, side)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sdxl")

    def batch_key(self, request: Request) -> Hashable:
        """Mode, size, steps, guidance, strength and scheduler; a bad request shares with none."""
        try:
            return self._plan(request).key
        except EngineError:
            return request

    def generate(self, requests: Sequence[Request]) -> Iterator[tuple[Request, Chunk | EngineError]]:
        """Make the images of requests with equal keys. Raises EngineError `out_of_memory`, `not_finite`."""
        works: list[_Work] = []
        for request in requests:
            try:
                plan = self._plan(request)
                works.append(_Work(request, plan, load_pictures(request.attachments, plan, self._settings)))
            except EngineError as error:
                yield request, error
        if len({work.plan.key for work in works}) > 1:
            raise ValueError("requests of different batch keys in one batch")
        if works:
            yield from self._listen(works)

    def memory_bytes(self) -> int:
        """The weights, in bytes."""
        return module_bytes(*networks(self._base))

    def close(self) -> None:
        """End the thread and free the weights."""
        self._thread.shutdown(wait=True)
        self._pipelines.clear()
        del self._base
        _free_memory(self._device)

    def _plan(self, request: Request) -> Plan:
        plan = make_plan(request, self._settings, default_size=self._default_size, schedulers=NAMES)
        if plan.mode not in self._pipelines:
            raise EngineError(
                "bad_params",
                f"Model {self._spec.id} only repaints: attach an image and a mask (white = repaint).",
            )
        return plan

    def _listen(self, works: Sequence[_Work]) -> Iterator[tuple[Request, Chunk]]:
        """What the run says, as it says it. Whoever closes this iterator ends the run within a step."""
        heard: SimpleQueue[tuple[Request, Chunk] | None] = SimpleQueue()
        abandoned = threading.Event()
        run = self._thread.submit(
            self._run, works, lambda request, chunk: heard.put((request, chunk)), abandoned
        )
        run.add_done_callback(lambda _: heard.put(None))
        try:
            while (output := heard.get()) is not None:
                yield output
        finally:
            abandoned.set()
            wait([run])
        run.result()

    def _run(self, works: Sequence[_Work], emit: _Emit, abandoned: threading.Event) -> None:
        rows = [_Row(work, index) for work in works for index in range(work.plan.count)]
        runs = [rows[start : start + self._max_images] for start in range(0, len(rows), self._max_images)]
        for work in works:
            work.runs = sum(any(row.work is work for row in run) for run in runs)
        try:
            for run in runs:
                wanted = [row for row in run if row.work.wanted()]
                if wanted and not abandoned.is_set():
                    with torch.no_grad():
                        self._run_once(wanted, emit, abandoned)
        except _NobodyWaitsError:
            return
        except (MemoryError, RuntimeError) as error:
            if not _is_out_of_memory(error):
                raise
        else:
            return
        finally:
            # Where parts rest outside the card, the base pipeline holds the hooks for all three.
            self._base.maybe_free_model_hooks()
        # Only here, after the except block: the error's frames hold the tensors that filled the memory.
        _free_memory(self._device)
        plan = works[0].plan
        raise EngineError(
            "out_of_memory",
            f"{len(runs[0])} image(s) of {plan.width}×{plan.height} at once need more memory than "
            f"{self._device} has free; ask for a smaller size or fewer images, or try again later.",
            retryable=True,
        )

    def _run_once(self, rows: Sequence[_Row], emit: _Emit, abandoned: threading.Event) -> None:
        """One run of the network: all rows through the same steps, then pixels one by one."""
        started_s = time.monotonic()
        watch = _Watch(rows, emit, abandoned, self._preview)
        latents = self._denoise(rows, watch)
        if self._device != "cpu":
            torch.accelerator.synchronize()  # or decoding the first image would be charged for the steps
        share_s = (time.monotonic() - started_s) / len(rows)
        with full_precision(self._base.vae):
            for row, latent in zip(rows, latents, strict=True):
                if abandoned.is_set():
                    raise _NobodyWaitsError
                if row.work.wanted():
                    started_s = time.monotonic()
                    file = self._file(row, decode(self._base.vae, latent))
                    row.work.seconds += share_s + time.monotonic() - started_s
                    _deliver(row.work, file, emit)
        for work in _works(rows):
            work.runs_done += 1

    def _denoise(self, rows: Sequence[_Row], watch: _Watch) -> torch.Tensor:
        """Latents of the rows: images × channels × height/8 × width/8."""
        plan = rows[0].work.plan
        pipeline = self._pipelines[plan.mode]
        pipeline.scheduler = make_scheduler(plan.scheduler, self._own_scheduler)
        latents: torch.Tensor = pipeline(
            **self._encode(rows),
            **_inputs(rows),
            num_inference_steps=plan.steps,
            guidance_scale=plan.guidance,
            generator=[torch.Generator("cpu").manual_seed(row.seed) for row in rows],
            output_type="latent",
            callback_on_step_end=watch.on_step,
            callback_on_step_end_tensor_inputs=["latents"],
        ).images
        return latents

    def _encode(self, rows: Sequence[_Row]) -> Mapping[str, torch.Tensor | None]:
        """The embeddings of the rows' prompts, each different prompt encoded once.

        The pipeline would do it too, but treats an empty negative prompt in one way alone (zeros, as SDXL was
        trained) and in another beside one that is not empty.
        """
        base, guided = self._base, rows[0].work.plan.guidance > 1
        texts = list(dict.fromkeys(row.work.texts for row in rows))
        prompts, negatives = zip(*texts, strict=True)
        for work in _works(rows):
            work.count_tokens(base.tokenizer)
        encoded = base.encode_prompt(
            prompt=list(prompts),
            negative_prompt=list(negatives) if guided else None,
            device=torch.device(self._device),
            do_classifier_free_guidance=guided,
        )
        names = (
            "prompt_embeds",
            "negative_prompt_embeds",
            "pooled_prompt_embeds",
            "negative_pooled_prompt_embeds",
        )
        embeds = dict(zip(names, encoded, strict=True))
        if guided and base.config.force_zeros_for_empty_prompt:
            empty = [number for number, negative in enumerate(negatives) if not negative]
            embeds["negative_prompt_embeds"][empty] = 0
            embeds["negative_pooled_prompt_embeds"][empty] = 0
        order = [texts.index(row.work.texts) for row in rows]
        return {name: None if value is None else value[order] for name, value in embeds.items()}

    def _file(self, row: _Row, image: Image.Image) -> FileChunk:
        plan, pictures = row.work.plan, row.work.pictures
        scheduler = shown_name(plan.scheduler, self._own_scheduler)
        if pictures.image is not None and pictures.mask is not None:
            # The VAE changes every pixel a little; what was not to be repainted comes back exactly.
            image = Image.composite(image, pictures.image, pictures.mask)
        return FileChunk(
            data=write_png(image, plan.describe(model=self._spec.id, scheduler=scheduler, seed=row.seed)),
            media_type="image/png",
            about={"width": image.width, "height": image.height, "seed": row.seed},
        )


class _NobodyWaitsError(Exception):
    """Every request of the run was stopped, or its consumer went away."""


@dataclass(eq=False, slots=True)
class _Work:
    """A request on its way; it may take several runs when it asks for more images than one run holds."""

    request: Request
    plan: Plan
    pictures: Pictures
    runs: int = 1
    runs_done: int = 0
    steps: int = 0
    images_done: int = 0
    seconds: float = 0.0
    seed: int = 0
    prompt_tokens: int = 0
    prompt_tokens_cut: int = 0
    stopped: bool = False

    def __post_init__(self) -> None:
        self.seed = secrets.randbelow(DRAWN_SEEDS) if self.plan.seed is None else self.plan.seed

    @property
    def texts(self) -> tuple[str, str]:
        return self.plan.prompt, self.plan.negative_prompt

    def wanted(self) -> bool:
        """Ask the request; once stopped it stays stopped."""
        self.stopped = self.stopped or self.request.stopped()
        return not self.stopped

    def count_tokens(self, tokenizer: Any) -> None:
        """CLIP reads 77 tokens and silently drops the rest, which is 30 Chinese characters: usage tells."""
        self.prompt_tokens = len(tokenizer(self.plan.prompt, verbose=False).input_ids)
        self.prompt_tokens_cut = max(0, self.prompt_tokens - int(tokenizer.model_max_length))

    def usage(self) -> Mapping[str, Any]:
        """`seconds` is the request's share of its runs' time: the shares add up to the device's time."""
        return {
            "images": self.images_done,
            "steps": self.steps,
            "pixel_steps": self.plan.width * self.plan.height * self.steps * self.images_done,
            "seconds": round(self.seconds, 3),
            "prompt_tokens": self.prompt_tokens,
            "prompt_tokens_cut": self.prompt_tokens_cut,
        }


@dataclass(frozen=True, slots=True)
class _Row:
    """One image of a batch: number `index` of its request."""

    work: _Work
    index: int

    @property
    def seed(self) -> int:
        return self.work.seed + self.index


class _Watch:
    """The pipeline's callback: after each step it tells the requests, and ends the run when none is left."""

    def __init__(
        self, rows: Sequence[_Row], emit: _Emit, abandoned: threading.Event, preview: LatentPreview
    ) -> None:
        self._rows, self._emit, self._abandoned, self._preview = rows, emit, abandoned, preview
        self._shown_at_s, self._shown_step = time.monotonic(), 0

    def on_step(
        self,
        pipeline: StableDiffusionXLPipeline,
        index: int,
        _timestep: Any,
        tensors: Mapping[str, torch.Tensor],
    ) -> Mapping[str, torch.Tensor]:
        """Called with the latents (images × channels × height × width) after step `index`, counted from 0."""
        wanted = [work for work in _works(self._rows) if work.wanted()]
        if self._abandoned.is_set() or not wanted:
            raise _NobodyWaitsError
        step, steps = index + 1, int(pipeline.num_timesteps)
        for work in wanted:
            work.steps = steps
            self._emit(work.request, StepChunk(work.runs_done * steps + step, work.runs * steps))
        if self._is_preview_due(step, steps):
            self._show(tensors["latents"])
            self._shown_at_s, self._shown_step = time.monotonic(), step
        return {}

    def _is_preview_due(self, step: int, steps: int) -> bool:
        """Not more often than people look, and not at the last step: the image itself follows."""
        rested = time.monotonic() - self._shown_at_s >= PREVIEW_INTERVAL_S
        return rested and step < steps and (step - self._shown_step) * MAX_PREVIEWS >= steps

    def _show(self, latents: torch.Tensor) -> None:
        for row, latent in zip(self._rows, latents, strict=True):
            if not row.work.stopped:
                self._emit(row.work.request, PreviewChunk(self._preview.jpeg(latent), row.index))


def _pipelines(base: StableDiffusionXLPipeline) -> dict[Mode, Any]:
    """The three ways in, over the same parts; a network trained for repainting knows only that."""
    dtype = base.unet.dtype
    inpaint = StableDiffusionXLInpaintPipeline.from_pipe(base, dtype=dtype)
    ways = {Mode.INPAINT: inpaint}
    if base.unet.config.in_channels != _INPAINTING_CHANNELS:
        ways |= {Mode.TEXT: base, Mode.IMAGE: StableDiffusionXLImg2ImgPipeline.from_pipe(base, dtype=dtype)}
    for pipeline in ways.values():
        pipeline.set_progress_bar_config(disable=True)
    return ways


def _inputs(rows: Sequence[_Row]) -> Mapping[str, Any]:
    """What the mode's pipeline takes beside prompts and steps."""
    plan, pictures = rows[0].work.plan, [row.work.pictures for row in rows]
    size = {"width": plan.width, "height": plan.height}
    if plan.mode is Mode.TEXT:
        return size
    images = {"image": [picture.image for picture in pictures], "strength": plan.strength}
    if plan.mode is Mode.IMAGE:
        return images
    return {**size, **images, "mask_image": [picture.mask for picture in pictures]}


def _works(rows: Sequence[_Row]) -> list[_Work]:
    return list(dict.fromkeys(row.work for row in rows))


def _deliver(work: _Work, file: FileChunk, emit: _Emit) -> None:
    work.images_done += 1
    emit(work.request, file)
    if work.images_done == work.plan.count:
        emit(work.request, DoneChunk(usage=work.usage()))


def _is_out_of_memory(error: Exception) -> bool:
    """On a card torch has a class for it; the CPU's allocator and Apple's say it in words."""
    said = str(error).lower()
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(
        words in said for words in ("out of memory", "can't allocate memory", "not enough memory")
    )


def _free_memory(device: str) -> None:
    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()
    elif device == "mps":
        torch.mps.empty_cache()
