"""The micro-batcher: what runs together, what waits, and what a failure touches."""

from __future__ import annotations

import threading
import time
from collections.abc import Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from gpu_workers.batching.micro import MicroBatcher
from gpu_workers.contract.messages import ImageParams
from gpu_workers.engines.base import Chunk, DoneChunk, EngineError, Request, StepChunk


class Recorder:
    """An engine that notes its batches. A prompt `bad` fails its batch, `crash` breaks it, `slow` takes 0.2 s."""

    max_batch = 4
    max_wait_s = 0.1

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def batch_key(self, request: Request) -> Hashable:
        assert isinstance(request.params, ImageParams)
        return request.params.width

    def generate(self, requests: Sequence[Request]) -> Iterator[tuple[Request, Chunk | EngineError]]:
        prompts = [request.params.prompt for request in requests if isinstance(request.params, ImageParams)]
        self.batches.append(prompts)
        if "slow" in prompts:
            time.sleep(0.2)
        if "bad" in prompts:
            raise EngineError("bad", "Bad.")
        if "crash" in prompts:
            raise ZeroDivisionError
        for request in requests:
            yield request, StepChunk(1, 1)
            yield request, DoneChunk()

    def memory_bytes(self) -> int:
        return 0

    def close(self) -> None:
        """Nothing to close."""


@pytest.fixture
def engine() -> Recorder:
    return Recorder()


@pytest.fixture
def batcher(engine: Recorder) -> Iterator[MicroBatcher]:
    batcher = MicroBatcher(engine)
    yield batcher
    batcher.close()


def run(batcher: MicroBatcher, prompt: str, width: int = 64) -> list[Chunk | EngineError]:
    chunks: list[Chunk | EngineError] = []
    batcher.run(Request(ImageParams(prompt, width=width)), chunks.append)
    return chunks


def run_all(batcher: MicroBatcher, *asks: tuple[str, int]) -> list[list[Chunk | EngineError]]:
    with ThreadPoolExecutor(len(asks)) as threads:
        return list(threads.map(lambda ask: run(batcher, *ask), asks))


def test_requests_that_come_together_run_together(batcher: MicroBatcher, engine: Recorder) -> None:
    assert run_all(batcher, ("a", 64), ("b", 64), ("c", 64)) == [[StepChunk(1, 1), DoneChunk()]] * 3
    assert [sorted(batch) for batch in engine.batches] == [["a", "b", "c"]]


def test_a_full_batch_does_not_wait(batcher: MicroBatcher, engine: Recorder) -> None:
    engine.max_wait_s = 30.0
    started = time.monotonic()
    run_all(batcher, *((str(n), 64) for n in range(4)))
    assert time.monotonic() - started < 5
    assert len(engine.batches) == 1


def test_what_does_not_fit_together_runs_apart_and_in_order(batcher: MicroBatcher, engine: Recorder) -> None:
    run_all(batcher, ("a", 64), ("b", 128), ("c", 64))
    assert sorted(sorted(batch) for batch in engine.batches) == [["a", "c"], ["b"]]


def test_the_wait_is_counted_from_the_oldest(batcher: MicroBatcher, engine: Recorder) -> None:
    with ThreadPoolExecutor(8) as threads:
        started = time.monotonic()
        first = threads.submit(run, batcher, "first")
        while not first.done():  # a trickle must not hold the first one back
            threads.submit(run, batcher, "later", 128)
            time.sleep(0.02)
        assert time.monotonic() - started < 2
    assert engine.batches[0] == ["first"]


def test_a_request_stopped_in_line_never_runs(batcher: MicroBatcher, engine: Recorder) -> None:
    stop = threading.Event()
    with ThreadPoolExecutor(2) as threads:
        slow = threads.submit(run, batcher, "slow", 8)
        time.sleep(0.15)
        waiting = threads.submit(batcher.run, Request(ImageParams("never"), stop.is_set), lambda _chunk: None)
        stop.set()
        waiting.result(timeout=5)
        slow.result(timeout=5)
    run(batcher, "last")
    assert ["never"] not in engine.batches


@pytest.mark.parametrize(("prompt", "code"), [("bad", "bad"), ("crash", "internal_error")])
def test_a_failure_touches_its_batch_only(batcher: MicroBatcher, prompt: str, code: str) -> None:
    failed, good = run_all(batcher, (prompt, 64), ("good", 128))
    assert isinstance(failed[-1], EngineError)
    assert failed[-1].code == code
    assert good[-1] == DoneChunk()
    assert run(batcher, "after")[-1] == DoneChunk()
