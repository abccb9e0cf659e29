"""What the web side and the gpu workers say to each other through the broker: frozen types with a version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, Self

VERSION = 1

Medium = Literal["chat", "image", "voice"]
MEDIA: tuple[Medium, ...] = ("chat", "image", "voice")

# Task names: the two Celery apps know each other by these only.
GENERATE_TASK = "gpu_workers.generate"
LOAD_TASK = "gpu_workers.load_model"
LOOK_TASK = "jobs.look"
CPU_QUEUE = "cpu"

# Celery's Redis transport takes the smallest number first.
PRIORITIES = range(10)


class UnknownVersion(ValueError):
    """A message of a version that this worker does not speak."""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A catalogue entry as an engine needs it.

    `source` is a hub id, a local path, `demo:NAME`, or a base URL for remote engines; `options` are the
    engine's own (see each engine's module).
    """

    id: str
    medium: Medium
    engine: str
    source: str = ""
    revision: str = ""
    quantization: Literal["none", "int8", "int4"] = "none"
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation; `images` are the names of its attachments."""

    role: Literal["system", "user", "assistant"]
    content: str
    images: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ChatParams:
    """Parameters of a chat job; None leaves the choice to the model's own generation config.

    `truncation` is for a conversation that is longer than the model reads: "auto" leaves the oldest turns out,
    "disabled" lets the job fail.
    """

    messages: tuple[Turn, ...]
    max_tokens: int = 1024
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    repetition_penalty: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    truncation: Literal["auto", "disabled"] = "disabled"

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read the validated `input` of a chat job."""
        values = _known(cls, data)
        values["messages"] = tuple(
            Turn(m["role"], m["content"], tuple(image_names(place, m.get("images") or ())))
            for place, m in enumerate(data["messages"])
        )
        values["stop"] = tuple(data.get("stop") or ())
        return cls(**values)


@dataclass(frozen=True, slots=True)
class ImageParams:
    """Parameters of an image job; sizes in pixels. The images come as attachments `image` and `mask`."""

    prompt: str
    negative_prompt: str = ""
    width: int | None = None
    height: int | None = None
    steps: int | None = None
    guidance: float | None = None
    seed: int | None = None
    count: int = 1
    scheduler: str | None = None
    strength: float | None = None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read the validated `input` of an image job."""
        return cls(**_known(cls, data))


@dataclass(frozen=True, slots=True)
class VoiceParams:
    """Parameters of a voice job: `text` or `ssml`; speed, pitch and volume are factors around 1."""

    text: str | None = None
    ssml: str | None = None
    language: str | None = None
    voice: str | None = None
    speed: float = 1.0
    pitch: float = 1.0
    volume: float = 1.0
    format: Literal["wav", "mp3", "ogg"] = "wav"

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read the validated `input` of a voice job."""
        return cls(**_known(cls, data))


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice that `VoiceParams.voice` may name; `language` is a BCP 47 tag, or empty for one that speaks them all."""

    id: str
    name: str
    language: str


def image_names(place: int, images: Sequence[object]) -> list[str]:
    """What the attachments of a chat's message at this place are called: as their field of the input."""
    return [f"messages.{place}.images.{number}" for number in range(len(images))]


Params = ChatParams | ImageParams | VoiceParams
PARAMS: dict[Medium, type[ChatParams] | type[ImageParams] | type[VoiceParams]] = {
    "chat": ChatParams,
    "image": ImageParams,
    "voice": VoiceParams,
}


@dataclass(frozen=True, slots=True)
class Generate:
    """Look at this job and run it if it still wants running: the claim in Redis decides, not this message.

    `attachments` are input files: by the name of their field in the input (`image`, `mask`, `messages.0.images.0`) the
    id of their bytes under the job.
    """

    job_id: str
    attempt: int
    medium: Medium
    model: ModelSpec
    params: Mapping[str, Any]
    attachments: Mapping[str, str] = field(default_factory=dict)
    version: int = VERSION

    def as_json(self) -> dict[str, Any]:
        """The message as the broker carries it."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read a message. Raises UnknownVersion when a newer web side sent it."""
        if data.get("version") != VERSION:
            raise UnknownVersion(f"message version {data.get('version')!r}; this worker speaks {VERSION}")
        return cls(**{**data, "model": ModelSpec(**data["model"])})

    def typed_params(self) -> Params:
        """The parameters as the medium's dataclass."""
        return PARAMS[self.medium].from_json(self.params)


def _known(cls: type, data: Mapping[str, Any]) -> dict[str, Any]:
    names = {f.name for f in fields(cls)}
    return {name: value for name, value in data.items() if name in names and value is not None}
