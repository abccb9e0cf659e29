"""The one loader: models load on first use, stay while memory allows, and go least recently used first.

A changed catalogue entry is another key, so the new model loads beside the old one, new jobs take it, and the old one
goes when its last job ends.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Protocol

import structlog

from gpu_workers.batching.micro import MicroBatcher
from gpu_workers.contract.events import Progress
from gpu_workers.contract.messages import ModelSpec, Voice
from gpu_workers.engines import load_engine
from gpu_workers.engines.base import (
    Engine,
    EngineError,
    ProgressCallback,
    PushingEngine,
    Request,
    SpeakingEngine,
    Take,
)
from gpu_workers.long_lived import spare_long_lived

logger = structlog.get_logger(__name__)

LOOK_EVERY_S = 0.1
Load = Callable[[ModelSpec, ProgressCallback], Engine]


class Report(Protocol):
    """Who is told how models fare."""

    def __call__(self, spec: ModelSpec, state: str, progress: Progress | None, message: str) -> None:
        """`state` is idle, downloading, loading, ready or failed."""

    def tell_voices(self, spec: ModelSpec, voices: Sequence[Voice], languages: Sequence[str]) -> None:
        """How a model that was just loaded can speak."""


class LoadAborted(Exception):
    """The job was stopped while its model loaded."""


class LoadedModel:
    """An engine with the batcher that it needs."""

    def __init__(self, spec: ModelSpec, engine: Engine) -> None:
        self.spec, self.engine = spec, engine
        self._batcher = MicroBatcher(engine) if engine.max_batch > 1 else None

    def run(self, request: Request, take: Take) -> None:
        """Run one request, giving its chunks to `take` as they are made; returns at its end. Raises EngineError."""
        if self._batcher is not None:
            self._batcher.run(request, take)
        elif isinstance(self.engine, PushingEngine):
            self.engine.stream_to(request, take)
        else:
            for _, chunk in self.engine.generate([request]):
                take(chunk)

    def close(self) -> None:
        """Give the memory back."""
        if self._batcher is not None:
            self._batcher.close()
        self.engine.close()


@dataclass(slots=True, eq=False)
class Slot:
    """A model in the pool: loading, loaded or failed."""

    spec: ModelSpec
    loaded: Future[LoadedModel] = field(default_factory=Future)
    listeners: list[ProgressCallback] = field(default_factory=list)
    users: int = 0
    last_used: float = 0.0
    load_s: float = 0.0


class ModelPool:
    """Models by catalogue entry, under one memory budget in bytes."""

    def __init__(self, budget_bytes: int, report: Report, load: Load = load_engine) -> None:
        self._budget, self._report, self._load = budget_bytes, report, load
        self._slots: dict[str, Slot] = {}
        self._lock = threading.Lock()

    @contextmanager
    def use(
        self, spec: ModelSpec, progress: ProgressCallback, stopped: Callable[[], bool]
    ) -> Iterator[LoadedModel]:
        """The model, loaded; it stays at least until the block ends. Raises EngineError or LoadAborted."""
        slot = self._enter(spec, progress)
        try:
            while not slot.loaded.done():
                if stopped():
                    raise LoadAborted
                wait([slot.loaded], timeout=LOOK_EVERY_S)
            yield slot.loaded.result()
        finally:
            self._leave(slot, progress)

    def loaded(self) -> list[Slot]:
        """The models in memory."""
        with self._lock:
            return [slot for slot in self._slots.values() if _is_ready(slot)]

    def close(self) -> None:
        """Unload everything; no job is running then."""
        with self._lock:
            slots, self._slots = list(self._slots.values()), {}
        for slot in slots:
            if _is_ready(slot):
                slot.loaded.result().close()

    def _enter(self, spec: ModelSpec, progress: ProgressCallback) -> Slot:
        with self._lock:
            key = _key(spec)
            slot = self._slots.get(key)
            if slot is None:
                slot = self._slots[key] = Slot(spec)
                threading.Thread(target=self._fill, args=(slot,), name=f"load-{spec.id}", daemon=True).start()
            slot.users += 1
            slot.last_used = time.monotonic()
            slot.listeners.append(progress)
            return slot

    def _leave(self, slot: Slot, progress: ProgressCallback) -> None:
        with self._lock:
            slot.users -= 1
            slot.last_used = time.monotonic()
            slot.listeners.remove(progress)
        self._make_room()

    def _fill(self, slot: Slot) -> None:
        def tell(progress: Progress) -> None:
            self._report(
                slot.spec, "downloading" if progress.stage == "download" else "loading", progress, ""
            )
            with self._lock:
                listeners = list(slot.listeners)
            for listener in listeners:
                listener(progress)

        started = time.monotonic()
        self._report(slot.spec, "loading", None, "")
        try:
            engine = self._load_with_room(slot.spec, tell)
        except EngineError as error:
            self._fail(slot, error)
        except Exception as error:  # the edge of the engine: jobs must hear of it
            logger.exception("model_load_crashed", model=slot.spec.id)
            self._fail(
                slot, EngineError("model_load_failed", f"Model {slot.spec.id} could not be loaded: {error}")
            )
        else:
            spare_long_lived()
            slot.load_s = time.monotonic() - started
            logger.info("model_loaded", model=slot.spec.id, seconds=round(slot.load_s, 2))
            slot.loaded.set_result(LoadedModel(slot.spec, engine))
            self._report(slot.spec, "ready", None, "")
            if isinstance(engine, SpeakingEngine):
                self._report.tell_voices(slot.spec, engine.voices(), engine.languages())
            self._make_room()

    def _load_with_room(self, spec: ModelSpec, tell: ProgressCallback) -> Engine:
        """Load; when memory runs out, drop every idle model and try once more."""
        try:
            return self._load(spec, tell)
        except (MemoryError, EngineError) as error:
            if isinstance(error, EngineError) and error.code != "out_of_memory":
                raise
            self._make_room(budget=0)
            return self._load(spec, tell)

    def _fail(self, slot: Slot, error: EngineError) -> None:
        with self._lock:
            self._slots.pop(_key(slot.spec), None)  # the next job tries again
        self._report(slot.spec, "failed", None, error.message)
        slot.loaded.set_exception(error)

    def _make_room(self, budget: int | None = None) -> None:
        """Close idle models: those that a newer entry replaced, then the least recently used above the budget."""
        if self._unload(self._take_idle(self._budget if budget is None else budget)):
            spare_long_lived()

    def _unload(self, slots: list[Slot]) -> bool:
        """Close them; whether there were any. Keeps none of them alive."""
        for slot in slots:
            logger.info("model_unloaded", model=slot.spec.id)
            slot.loaded.result().close()
            self._report(slot.spec, "idle", None, "")
        return bool(slots)

    def _take_idle(self, budget: int) -> list[Slot]:
        with self._lock:
            ready = [slot for slot in self._slots.values() if _is_ready(slot)]
            newest = {
                slot.spec.id: slot for slot in ready
            }  # insertion order: the last of an id is the newest
            held = sum(slot.loaded.result().engine.memory_bytes() for slot in ready)
            gone: list[Slot] = []
            for slot in sorted(ready, key=lambda slot: (newest[slot.spec.id] is slot, slot.last_used)):
                if slot.users or (newest[slot.spec.id] is slot and held <= budget):
                    continue
                held -= slot.loaded.result().engine.memory_bytes()
                gone.append(self._slots.pop(_key(slot.spec)))
            return gone


def _is_ready(slot: Slot) -> bool:
    return slot.loaded.done() and slot.loaded.exception() is None


def _key(spec: ModelSpec) -> str:
    return json.dumps(asdict(spec), sort_keys=True)
