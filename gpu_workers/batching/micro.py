"""A micro-batcher: compatible requests that arrive close together run as one batch.

Two numbers rule it: `max_batch`, and `max_wait_s` counted from the oldest request that waits. First in, first out; a
request that was stopped while it waited never runs.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field

import structlog

from gpu_workers.engines.base import Chunk, DoneChunk, Engine, EngineError, Request

logger = structlog.get_logger(__name__)

LOOK_EVERY_S = 0.1  # how soon a request that waits notices that it was stopped


class End:
    """No more chunks come for this request."""


END = End()


@dataclass(slots=True, eq=False)
class Waiting:
    """A request in line, and where its chunks go."""

    request: Request
    key: Hashable
    since: float
    chunks: queue.SimpleQueue[Chunk | EngineError | End] = field(default_factory=queue.SimpleQueue)


class MicroBatcher:
    """Runs one engine, one batch at a time, in a thread of its own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._line: list[Waiting] = []
        self._wake = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="micro-batcher", daemon=True)
        self._thread.start()

    def run(self, request: Request) -> Iterator[Chunk]:
        """The chunks of one request, whatever batch it runs in. Raises EngineError."""
        waiting = Waiting(request, self._engine.batch_key(request), time.monotonic())
        with self._wake:
            self._line.append(waiting)
            self._wake.notify()
        while True:
            try:
                chunk = waiting.chunks.get(timeout=LOOK_EVERY_S)
            except queue.Empty:
                if request.stopped():
                    return
                continue
            if isinstance(chunk, End):
                return
            if isinstance(chunk, EngineError):
                raise chunk
            yield chunk
            if isinstance(chunk, DoneChunk):
                return

    def close(self) -> None:
        """End the thread once the batch in hand is done."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        self._thread.join()

    def _run(self) -> None:
        while batch := self._next_batch():
            self._run_batch(batch)

    def _next_batch(self) -> list[Waiting]:
        """Wait for the oldest request, then for its companions; empty at the end."""
        with self._wake:
            while not self._closed:
                self._line = [w for w in self._line if not w.request.stopped()]
                if not self._line:
                    self._wake.wait()
                    continue
                oldest = self._line[0]
                batch = [w for w in self._line if w.key == oldest.key][: self._engine.max_batch]
                left_s = oldest.since + self._engine.max_wait_s - time.monotonic()
                if len(batch) < self._engine.max_batch and left_s > 0:
                    self._wake.wait(left_s)
                    continue
                self._line = [w for w in self._line if w not in batch]
                return batch
        return []

    def _run_batch(self, batch: list[Waiting]) -> None:
        by_request = {waiting.request: waiting for waiting in batch}
        try:
            for request, chunk in self._engine.generate([waiting.request for waiting in batch]):
                by_request[request].chunks.put(chunk)
        except EngineError as error:
            self._end(batch, error)
        except Exception:  # noqa: BLE001  the edge of the engine: its bug must not end the batcher
            logger.exception("engine_crashed")
            self._end(batch, EngineError("internal_error", "The engine failed unexpectedly; see the worker's log.", retryable=True))
        else:
            self._end(batch, END)

    @staticmethod
    def _end(batch: list[Waiting], last: EngineError | End) -> None:
        for waiting in batch:
            waiting.chunks.put(last)
