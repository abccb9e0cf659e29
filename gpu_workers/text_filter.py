"""The one stage that all text passes between an engine and `publish`: what it holds back never leaves the worker."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from gpu_workers.engines.base import TextChunk


@dataclass(frozen=True, slots=True)
class Refusal:
    """The filter ends the job: by this rule."""

    rule: str


class TextFilter(Protocol):
    """One job's filter; it may hold text back until it knows more."""

    def feed(self, chunk: TextChunk) -> Iterator[TextChunk | Refusal]:
        """What may leave now."""

    def flush(self) -> Iterator[TextChunk | Refusal]:
        """What was held back, at the end of the text."""


class PassThrough:
    """Everything may leave: the stage until moderation is built."""

    def feed(self, chunk: TextChunk) -> Iterator[TextChunk | Refusal]:
        """The chunk itself."""
        yield chunk

    def flush(self) -> Iterator[TextChunk | Refusal]:
        """Nothing was held back."""
        yield from ()


def filter_for_job() -> TextFilter:
    """The filter of a new job."""
    return PassThrough()
