"""A micro-batcher: compatible requests that arrive close together run as one batch.

Two numbers rule it: `max_batch`, and `max_wait_s` counted from the oldest request that waits. First in, first out; a
request that was stopped while it waited never runs.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Hashable
from dataclasses import dataclass, field

import structlog

from gpu_workers.engines.base import Engine, EngineError, Request, Take

logger = structlog.get_logger(__name__)

LOOK_EVERY_S = 0.1  # how soon a request that waits notices that it was stopped


@dataclass(slots=True, eq=False)
class Waiting:
    """A request in line, and where its chunks go."""

    request: Request
    take: Take
    key: Hashable
    since: float
    over: threading.Event = field(default_factory=threading.Event)


class MicroBatcher:
    """Runs one engine, one batch at a time, in a thread of its own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._line: list[Waiting] = []
        self._wake = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="micro-batcher", daemon=True)
        self._thread.start()

    def run(self, request: Request, take: Take) -> None:
        """Run one request, in whatever batch; `take` gets its chunks in the batcher's thread. Returns at its end."""
        waiting = Waiting(request, take, self._engine.batch_key(request), time.monotonic())
        with self._wake:
            self._line.append(waiting)
            self._wake.notify()
        while not waiting.over.wait(LOOK_EVERY_S):
            if request.stopped():
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
                self._line = [waiting for waiting in self._line if not waiting.request.stopped()]
                if not self._line:
                    self._wake.wait()
                    continue
                oldest = self._line[0]
                batch = [waiting for waiting in self._line if waiting.key == oldest.key][
                    : self._engine.max_batch
                ]
                left_s = oldest.since + self._engine.max_wait_s - time.monotonic()
                if len(batch) < self._engine.max_batch and left_s > 0:
                    self._wake.wait(left_s)
                    continue
                self._line = [waiting for waiting in self._line if waiting not in batch]
                return batch
        return []

    def _run_batch(self, batch: list[Waiting]) -> None:
        take_of = {waiting.request: waiting.take for waiting in batch}
        try:
            for request, chunk in self._engine.generate([waiting.request for waiting in batch]):
                take_of[request](chunk)
        except EngineError as error:
            self._fail(batch, error)
        except Exception:  # the edge of the engine: its bug must not end the batcher
            logger.exception("engine_crashed")
            message = "The engine failed unexpectedly; see the worker's log."
            self._fail(batch, EngineError("internal_error", message, retryable=True))
        finally:
            for waiting in batch:
                waiting.over.set()

    @staticmethod
    def _fail(batch: list[Waiting], error: EngineError) -> None:
        for waiting in batch:
            waiting.take(error)  # a request that has ended already ignores it
