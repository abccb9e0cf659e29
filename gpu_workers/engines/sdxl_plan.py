"""From an image request to numbers known to be possible: defaults, limits, sizes. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any, Literal, Self, TypeVar

from PIL import Image

from gpu_workers.contract.messages import ImageParams, ModelSpec
from gpu_workers.engines.base import EngineError, Request
from gpu_workers.engines.input_pictures import fit, open_mask, open_rgb, picture_size

SIZE_STEP = 8
MAX_SEED = 2**63 - 1
# A mask of another shape than its image would be cut at other places.
_ASPECT_TOLERANCE = 0.02
OFFLOADS = ("auto", "none", "model")
_WANTED = {
    "int": "a whole number above 0",
    "float": "a number from 0",
    "bool": "true or false",
    "str": "text",
}
N = TypeVar("N", int, float)


class Mode(StrEnum):
    """What an image is made from."""

    TEXT = "text-to-image"
    IMAGE = "image-to-image"
    INPAINT = "inpainting"


@dataclass(frozen=True, slots=True)
class Settings:
    """The `options` of a model's catalogue entry that this engine reads; sizes in pixels.

    `max_images` is the number of images in one run of the network, of however many requests; further ones
    wait for the next run. `variant` names the weight files (`unet/...{variant}.safetensors`),
    `offload` says whether parts that rest go to the computer's memory (`auto`: when the card is too small).
    None means: what fits the device or the model.
    """

    default_width: int | None = None
    default_height: int | None = None
    default_steps: int = 30
    default_guidance: float = 6.0
    default_scheduler: str = "model"
    default_strength: float = 0.6
    default_inpaint_strength: float = 1.0
    min_side: int = 64
    max_side: int = 2048
    max_steps: int = 150
    max_guidance: float = 30.0
    max_count: int = 8
    max_prompt_chars: int = 10_000
    max_input_pixels: int = 32_000_000
    max_batch: int | None = None
    max_images: int | None = None
    max_wait_s: float = 0.05
    variant: str = ""
    offload: Literal["auto", "none", "model"] = "auto"
    attention_slicing: bool | None = None
    vae_tiling: bool = True
    channels_last: bool | None = None

    @classmethod
    def from_spec(cls, spec: ModelSpec) -> Self:
        """Read the options, ignoring unknown ones. Raises EngineError `bad_options` for a wrong value."""
        values = {f.name: spec.options[f.name] for f in fields(cls) if f.name in spec.options}
        defaults = cls()
        for name, value in values.items():
            _check_option(spec, name, value, _option_type(name, getattr(defaults, name)))
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Plan:
    """One request, checked and with every default filled in. `seed` None: any will do."""

    mode: Mode
    prompt: str
    negative_prompt: str
    width: int
    height: int
    steps: int
    guidance: float
    strength: float | None
    scheduler: str
    count: int
    seed: int | None

    @property
    def key(self) -> Hashable:
        """Plans of equal keys can be one run: the pipeline takes these numbers once for a whole batch."""
        return (
            self.mode,
            self.width,
            self.height,
            self.steps,
            self.guidance,
            self.strength,
            self.scheduler,
        )

    def describe(self, *, model: str, scheduler: str, seed: int) -> Mapping[str, Any]:
        """What the PNG of one image says, as JSON data."""
        facts = {"version": 1, "model": model, **asdict(self), "scheduler": scheduler, "seed": seed}
        del facts["count"]
        return {name: value for name, value in facts.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Pictures:
    """What a request brought along, in the size of its plan: RGB, and grey (white = repaint)."""

    image: Image.Image | None = None
    mask: Image.Image | None = None


def make_plan(
    request: Request, settings: Settings, *, default_size: tuple[int, int], schedulers: Collection[str]
) -> Plan:
    """Check the request. Raises EngineError with the bad value and the limit.

    Only the headers of attached pictures are read here; `load_pictures` reads the rest.
    """
    params = request.params
    if not isinstance(params, ImageParams):
        raise EngineError(
            "bad_params", f"This model makes images; it cannot run a request with {type(params).__name__}."
        )
    mode = _mode(request.attachments)
    steps = _between("steps", params.steps, settings.default_steps, 1, settings.max_steps)
    width, height = _size(params, request.attachments, settings, default_size)
    count = _between("count", params.count, 1, 1, settings.max_count)
    return Plan(
        mode=mode,
        prompt=_text("prompt", params.prompt, settings),
        negative_prompt=_text("negative_prompt", params.negative_prompt, settings),
        width=width,
        height=height,
        steps=steps,
        guidance=float(
            _between("guidance", params.guidance, settings.default_guidance, 0.0, settings.max_guidance)
        ),
        strength=_strength(params.strength, mode, steps, settings),
        scheduler=_scheduler(params.scheduler or settings.default_scheduler, schedulers),
        count=count,
        seed=None if params.seed is None else _between("seed", params.seed, 0, 0, MAX_SEED - count),
    )


def load_pictures(attachments: Mapping[str, bytes], plan: Plan, settings: Settings) -> Pictures:
    """Decode the attached pictures, cut and resized to the plan. Raises EngineError `bad_image`."""
    if plan.mode is Mode.TEXT:
        return Pictures()
    size, limit = (plan.width, plan.height), settings.max_input_pixels
    image = fit(open_rgb(attachments["image"], "image", limit), size)
    if plan.mode is Mode.IMAGE:
        return Pictures(image)
    return Pictures(image, fit(open_mask(attachments["mask"], limit), size))


def _mode(attachments: Mapping[str, bytes]) -> Mode:
    if "image" in attachments:
        return Mode.INPAINT if "mask" in attachments else Mode.IMAGE
    if "mask" in attachments:
        raise EngineError("bad_params", "A mask came without an image; attach the image that it belongs to.")
    return Mode.TEXT


def _text(name: str, text: str, settings: Settings) -> str:
    if len(text) > settings.max_prompt_chars:
        raise EngineError(
            "bad_params",
            f"{name} has {len(text):,} characters; shorten it to at most {settings.max_prompt_chars:,}.",
        )
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise EngineError(
            "bad_params",
            f"{name} holds half a character (a lone surrogate) at position {error.start}; remove it.",
        ) from error
    return text


def _between(name: str, value: N | None, default: N, least: N, most: N) -> N:
    chosen = default if value is None else value
    if not least <= chosen <= most:  # NaN is refused too
        raise EngineError("bad_params", f"{name} is {chosen}; it must be from {least} to {most}.")
    return chosen


def _scheduler(name: str, known: Collection[str]) -> str:
    if name not in known:
        raise EngineError("bad_params", f"scheduler is {name!r}; choose one of {', '.join(known)}.")
    return name


def _strength(value: float | None, mode: Mode, steps: int, settings: Settings) -> float | None:
    """How much of an attached image may change: the pipelines run the last `steps * strength` steps."""
    if mode is Mode.TEXT:
        return None
    default = settings.default_strength if mode is Mode.IMAGE else settings.default_inpaint_strength
    strength = float(_between("strength", value, default, 0.0, 1.0))
    if int(steps * strength) < 1:
        raise EngineError(
            "bad_params",
            f"strength {strength:g} of {steps} steps leaves no step to run; "
            f"use a strength of at least {math.ceil(100 / steps) / 100:g} or more steps.",
        )
    return strength


def _size(
    params: ImageParams, attachments: Mapping[str, bytes], settings: Settings, default_size: tuple[int, int]
) -> tuple[int, int]:
    default_width, default_height = (
        settings.default_width or default_size[0],
        settings.default_height or default_size[1],
    )
    if "image" in attachments:
        shape = picture_size(attachments["image"], "image", settings.max_input_pixels)
        if "mask" in attachments:
            _check_same_shape(shape, picture_size(attachments["mask"], "mask", settings.max_input_pixels))
        width, height = _size_like(
            shape, params.width, params.height, default_width * default_height, settings
        )
    else:
        width = default_width if params.width is None else params.width
        height = default_height if params.height is None else params.height
    return _side("width", width, settings), _side("height", height, settings)


def _size_like(
    shape: tuple[int, int], width: int | None, height: int | None, usual_pixels: int, settings: Settings
) -> tuple[int, int]:
    """What was not asked for, from the shape of the attached image: its aspect ratio, and not more pixels
    than the model usually makes, since larger pictures take minutes and repeat their contents."""
    if width is not None and height is not None:
        return width, height
    if width is not None:
        return width, _rounded(width * shape[1] / shape[0])
    if height is not None:
        return _rounded(height * shape[0] / shape[1]), height
    scale = min(1.0, math.sqrt(usual_pixels / (shape[0] * shape[1])), settings.max_side / max(shape))
    scale = max(scale, settings.min_side / min(shape))
    return _rounded(shape[0] * scale), _rounded(shape[1] * scale)


def _rounded(side: float) -> int:
    return max(1, round(side / SIZE_STEP)) * SIZE_STEP


def _side(name: str, pixels: int, settings: Settings) -> int:
    _between(name, pixels, pixels, settings.min_side, settings.max_side)
    if pixels % SIZE_STEP:
        below = pixels // SIZE_STEP * SIZE_STEP
        raise EngineError(
            "bad_params",
            f"{name} is {pixels}; it must be a multiple of {SIZE_STEP}, like {below} or {below + SIZE_STEP}.",
        )
    return pixels


def _check_same_shape(image: tuple[int, int], mask: tuple[int, int]) -> None:
    ratio = (mask[0] * image[1]) / (mask[1] * image[0])
    if abs(ratio - 1) > _ASPECT_TOLERANCE:
        raise EngineError(
            "bad_params",
            f"The mask is {mask[0]}×{mask[1]} and the image {image[0]}×{image[1]}; give it the same shape.",
        )


def _option_type(name: str, default: object) -> str:
    if name in ("max_batch", "max_images", "default_width", "default_height"):
        return "int"
    return "bool" if name in ("attention_slicing", "channels_last") else type(default).__name__


def _check_option(spec: ModelSpec, name: str, value: object, expected: str) -> None:
    """Options come from a form that people fill in, so each is checked before it is trusted."""
    fits = {
        "int": isinstance(value, int) and not isinstance(value, bool) and value > 0,
        "float": isinstance(value, int | float) and not isinstance(value, bool) and value >= 0,
        "bool": isinstance(value, bool),
        "str": isinstance(value, str),
    }
    if not fits[expected] or (name == "offload" and value not in OFFLOADS):
        wanted = f"one of {', '.join(OFFLOADS)}" if name == "offload" else _WANTED[expected]
        raise EngineError(
            "bad_options", f"Model {spec.id} has option {name} = {value!r}; it must be {wanted}."
        )
