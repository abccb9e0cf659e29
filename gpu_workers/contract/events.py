"""What happens to a job, as data: one frozen dataclass for each event, and the one way to fold them.

An event has one JSON form, the same on every transport: its `type` and the fields that are not None.
Its id is `attempt-number`: attempts count from 1, numbers from 1 in each attempt without a gap, so a
reader that sees a jump knows that it missed something.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal, NamedTuple, Self

import orjson
from typing_extensions import TypedDict, override

JSON = dict[str, Any]


class SpokenWord(TypedDict):
    """A word and when it is heard, in seconds from the start of its sentence or file."""

    text: str
    start_s: float
    end_s: float


class EventId(NamedTuple):
    """The place of an event in its job's log; compares in reading order."""

    attempt: int
    number: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `attempt-number`. Raises ValueError for anything else."""
        attempt, _, number = text.partition("-")
        if not (attempt.isdecimal() and number.isdecimal() and text.isascii() and len(text) <= 40):
            raise ValueError(f"not an event id: {text[:50]!r}")
        return cls(int(attempt), int(number))

    @override
    def __str__(self) -> str:
        return f"{self.attempt}-{self.number}"


BEGINNING = EventId(0, 0)


@dataclass(frozen=True, slots=True)
class Event:
    """Base of all events."""

    type: ClassVar[str]
    terminal: ClassVar[bool] = False

    def as_json(self) -> JSON:
        """The fields that say something, ready for `json.dumps`."""
        return {
            name: value for name in _FIELD_NAMES[type(self)] if (value := getattr(self, name)) is not None
        }

    def dumps(self) -> str:
        """The compact JSON text of the event's data."""
        return orjson.dumps(self.as_json()).decode()


@dataclass(frozen=True, slots=True)
class Queued(Event):
    """The job waits; `position` 1 is next, `eta_s` the expected seconds until it starts."""

    type: ClassVar[str] = "queued"
    position: int
    eta_s: float | None = None


@dataclass(frozen=True, slots=True)
class Started(Event):
    """A worker has claimed the job."""

    type: ClassVar[str] = "started"
    attempt: int
    model: str


@dataclass(frozen=True, slots=True)
class Delta(Event):
    """More text. With `whole`, it is everything so far and replaces what the reader has (a compacted log)."""

    type: ClassVar[str] = "delta"
    text: str | None = None
    reasoning: str | None = None
    whole: bool | None = None


@dataclass(frozen=True, slots=True)
class Progress(Event):
    """Step `step` of `steps` of a stage, counted in `unit`."""

    type: ClassVar[str] = "progress"
    step: int
    steps: int
    stage: Literal["download", "load", "generate"] = "generate"
    unit: Literal["steps", "bytes", "sentences"] = "steps"


@dataclass(frozen=True, slots=True)
class Preview(Event):
    """A small picture of where image `index` stands; `image` is a data URI."""

    type: ClassVar[str] = "preview"
    image: str
    index: int = 0


@dataclass(frozen=True, slots=True)
class Audio(Event):
    """Speech of sentence `index` can be played from `url` (WAV) while the rest is made.

    `words`, where the engine knows them, are counted from the sentence's own start.
    """

    type: ClassVar[str] = "audio"
    id: str
    url: str
    index: int
    text: str
    duration_s: float
    words: list[SpokenWord] | None = None


@dataclass(frozen=True, slots=True)
class Artifact(Event):
    """A finished file; `url` works from this moment on."""

    type: ClassVar[str] = "artifact"
    id: str
    url: str
    media_type: str
    width: int | None = None
    height: int | None = None
    seed: int | None = None
    duration_s: float | None = None
    words: list[SpokenWord] | None = None


@dataclass(frozen=True, slots=True)
class Retry(Event):
    """The job runs again as `attempt`; from the `start`, readers clear what they had."""

    type: ClassVar[str] = "retry"
    attempt: int
    origin: Literal["here", "start"]

    @override
    def as_json(self) -> JSON:
        """`from` is a Python keyword, so the field has another name."""
        return {"attempt": self.attempt, "from": self.origin}


@dataclass(frozen=True, slots=True)
class Finished(Event):
    """The job succeeded. `confidence` is the mean probability of the tokens, where the engine knows it."""

    type: ClassVar[str] = "finished"
    terminal: ClassVar[bool] = True
    usage: JSON = field(default_factory=dict)
    finish_reason: str = "stop"
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Failed(Event):
    """The job failed; `retryable` says whether the same job could work later."""

    type: ClassVar[str] = "failed"
    terminal: ClassVar[bool] = True
    code: str
    message: str
    retryable: bool = False


@dataclass(frozen=True, slots=True)
class Cancelled(Event):
    """A person or program stopped the job; what was made until then is kept."""

    type: ClassVar[str] = "cancelled"
    terminal: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Blocked(Event):
    """Moderation ended the job."""

    type: ClassVar[str] = "blocked"
    terminal: ClassVar[bool] = True
    rule: str


EVENT_TYPES: dict[str, type[Event]] = {
    cls.type: cls
    for cls in (
        Queued,
        Started,
        Delta,
        Progress,
        Preview,
        Audio,
        Artifact,
        Retry,
        Finished,
        Failed,
        Cancelled,
        Blocked,
    )
}
# Looked up once: asking a dataclass for its fields takes longer than writing a token out.
_FIELD_NAMES = {cls: tuple(f.name for f in fields(cls)) for cls in EVENT_TYPES.values()}
TERMINAL_TYPES = frozenset(name for name, cls in EVENT_TYPES.items() if cls.terminal)


def parse_event(type_: str, data: Mapping[str, Any]) -> Event:
    """The event of a log entry. Fields of a newer version that this one does not know are dropped."""
    cls = EVENT_TYPES[type_]
    values = dict(data)
    if cls is Retry:
        values["origin"] = values.pop("from")
    known = _FIELD_NAMES[cls]
    return cls(**{name: value for name, value in values.items() if name in known})


@dataclass(slots=True)
class Snapshot:
    """A job as a reader of its events knows it."""

    status: str = "queued"
    attempt: int = 1
    model: str | None = None
    position: int | None = None
    eta_s: float | None = None
    text: str = ""
    reasoning: str = ""
    progress: Progress | None = None
    preview: str | None = None
    audio: list[Audio] = field(default_factory=list)
    artifacts: list[Artifact] = field(default_factory=list)
    usage: JSON = field(default_factory=dict)
    finish_reason: str | None = None
    confidence: float | None = None
    error: JSON | None = None

    def apply(self, event: Event) -> None:  # noqa: PLR0912  one branch per event is the clearest table
        """Take in the next event of the log."""
        match event:
            case Queued():
                self.position, self.eta_s = event.position, event.eta_s
            case Started():
                self.status, self.attempt, self.model = "running", event.attempt, event.model
                self.position = self.eta_s = None
            case Delta(whole=True):
                self.text, self.reasoning = event.text or "", event.reasoning or ""
            case Delta():
                self.text += event.text or ""
                self.reasoning += event.reasoning or ""
            case Progress():
                self.progress = event
            case Preview():
                self.preview = event.image
            case Audio():
                self.audio.append(event)
            case Artifact():
                self.artifacts.append(event)
            case Retry():
                if event.attempt != self.attempt:  # an engine may also start again within its attempt
                    self.status, self.attempt = "queued", event.attempt
                self.progress = self.preview = None
                if event.origin == "start":
                    self.text = self.reasoning = ""
                    self.audio, self.artifacts = [], []
            case Finished():
                self.status, self.finish_reason = "succeeded", event.finish_reason
                self.usage, self.confidence = event.usage, event.confidence
            case Failed():
                self.status, self.error = "failed", event.as_json()
            case Cancelled():
                self.status, self.finish_reason = "cancelled", "cancelled"
            case Blocked():
                self.status = "blocked"
                self.error = {
                    "code": "blocked",
                    "message": f"Stopped by rule {event.rule}.",
                    "rule": event.rule,
                }
        if event.terminal:
            self.position = self.eta_s = self.progress = self.preview = None


def fold(events: Iterable[Event]) -> Snapshot:
    """The snapshot that a reader of these events has."""
    snapshot = Snapshot()
    for event in events:
        snapshot.apply(event)
    return snapshot
