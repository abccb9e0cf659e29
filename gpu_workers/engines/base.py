"""What every engine is: it loads one model and turns requests into chunks, and knows nothing of jobs or Redis."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from gpu_workers.contract.events import Progress, SpokenWord
from gpu_workers.contract.messages import ModelSpec, Params, Voice

ProgressCallback = Callable[[Progress], None]


class EngineError(Exception):
    """A failure that a user can read: `code` for programs, a sentence for people, and whether to try again."""

    def __init__(self, code: str, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.code, self.message, self.retryable = code, message, retryable


@dataclass(frozen=True, slots=True)
class SpokenSentence:
    """A sentence whose speech an earlier attempt already made: its WAV bytes."""

    index: int
    text: str
    wav: bytes


@dataclass(frozen=True, slots=True)
class Resume:
    """What an earlier attempt already gave the reader; the engine goes on after it."""

    text: str = ""
    reasoning: str = ""
    sentences: tuple[SpokenSentence, ...] = ()


@dataclass(frozen=True, eq=False, slots=True)
class Request:
    """One job for an engine. Compared by identity, so a batch may hold two alike.

    `stopped()` is cheap and thread-safe: ask it once per token, step or sentence; when it is true, yield
    nothing more for this request but, from an engine without batches, the file of what it has made.
    """

    params: Params
    stopped: Callable[[], bool] = lambda: False
    resume: Resume = field(default_factory=Resume)
    attachments: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TextChunk:
    """More answer or more reasoning, in whole characters."""

    text: str = ""
    reasoning: str = ""


@dataclass(frozen=True, slots=True)
class RestartChunk:
    """The engine cannot go on after `resume` and starts again: readers clear what they had."""


@dataclass(frozen=True, slots=True)
class StepChunk:
    """Step `step` of `steps` is done."""

    step: int
    steps: int
    unit: Literal["steps", "bytes", "sentences"] = "steps"


@dataclass(frozen=True, slots=True)
class PreviewChunk:
    """A JPEG of at most a few kilobytes that shows where image `index` stands."""

    jpeg: bytes
    index: int = 0


@dataclass(frozen=True, slots=True)
class SpeechChunk:
    """The speech of one sentence: a whole WAV file; `words` as its `audio` event says them."""

    index: int
    text: str
    wav: bytes
    duration_s: float
    words: Sequence[SpokenWord] = ()


@dataclass(frozen=True, slots=True)
class FileChunk:
    """A finished file with what its `artifact` event says about it (width, height, seed, duration_s, words)."""

    data: bytes
    media_type: str
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DoneChunk:
    """The last chunk of a request that ran to its end. `usage` counts what the medium counts."""

    usage: Mapping[str, Any] = field(default_factory=dict)
    finish_reason: str = "stop"
    confidence: float | None = None


Chunk = TextChunk | RestartChunk | StepChunk | PreviewChunk | SpeechChunk | FileChunk | DoneChunk


class Engine(Protocol):
    """A loaded model.

    `generate` may be called by several threads at once. It gets one request, or, when `max_batch` is above 1,
    up to `max_batch` requests of equal `batch_key`, and yields `(request, chunk)` pairs in any interleaving; a
    request ends with its DoneChunk, or with nothing more once it is stopped. An EngineError raised fails the
    requests that have not ended; one bad request of a batch is yielded as `(request, EngineError)` instead, so
    that it does not take its neighbours with it.
    """

    max_batch: int
    max_wait_s: float

    def batch_key(self, request: Request) -> Hashable:
        """Requests of equal keys may share a batch."""

    def generate(self, requests: Sequence[Request]) -> Iterator[tuple[Request, Chunk | EngineError]]:
        """Run the requests, yielding chunks as they are made."""

    def memory_bytes(self) -> int:
        """What the loaded model holds, in bytes, on its device."""

    def close(self) -> None:
        """Give back the memory; no `generate` is running then."""


Take = Callable[[Chunk | EngineError], None]


@runtime_checkable
class PushingEngine(Protocol):
    """An engine that has a thread of its own for all its requests, and can spare waking one for each chunk."""

    def stream_to(self, request: Request, give: Take) -> None:
        """Run one request; `give` is called in the engine's thread, is quick and never raises. Returns at the end."""


@runtime_checkable
class SpeakingEngine(Protocol):
    """An engine that has voices to choose from."""

    def voices(self) -> list[Voice]:
        """All of them; one without a language speaks every language of the engine."""

    def languages(self) -> list[str]:
        """What `VoiceParams.language` may name; empty when the model does not say."""


class Loader(Protocol):
    """How an engine's module loads a model; the one name the registry asks it for."""

    def __call__(self, spec: ModelSpec, progress: ProgressCallback) -> Engine:
        """Load, reporting `load` or `download` progress. Raises EngineError with a sentence that helps."""
