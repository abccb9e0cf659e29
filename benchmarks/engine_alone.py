"""`python -m benchmarks.engine_alone SPEC`: one engine without the product around it.

Loads the model as a gpu worker does, then runs a round for each line on standard input, a JSON list of job
inputs, and answers with a line `{"made": ..., "seconds": ...}`. Ends at the end of the input.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TextIO

from gpu_workers.contract.messages import PARAMS, Medium, ModelSpec
from gpu_workers.engines import load_engine
from gpu_workers.engines.base import Chunk, DoneChunk, Engine, EngineError, FileChunk, Request


def main() -> None:
    """Serve rounds until the input ends."""
    answers = _own_output()
    spec = ModelSpec(**json.loads(sys.argv[1]))
    engine = load_engine(spec, lambda _progress: None)
    try:
        for line in sys.stdin:
            made, seconds = run_round(engine, spec.medium, json.loads(line))
            answers.write(json.dumps({"made": made, "seconds": seconds}) + "\n")
            answers.flush()
    finally:
        engine.close()


def _own_output() -> TextIO:
    """Standard output for the answers alone: what libraries print goes to standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


def run_round(engine: Engine, medium: Medium, inputs: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """What was made (tokens, images or seconds of speech) and the seconds it took, all inputs at once.

    An engine that batches is given full batches of equal keys, without waiting for any; another one gets a
    thread for each input. Raises EngineError.
    """
    requests = [Request(PARAMS[medium].from_json(each)) for each in inputs]
    batches = batches_of(engine, requests)
    with ThreadPoolExecutor(len(requests) if engine.max_batch == 1 else 1) as pool:
        begun = time.monotonic()
        made = sum(pool.map(lambda batch: _made_by(engine, batch), batches))
        return made, time.monotonic() - begun


def batches_of(engine: Engine, requests: Sequence[Request]) -> list[list[Request]]:
    """The requests in the batches that the engine can take, in their order."""
    by_key: dict[Any, list[Request]] = {}
    for request in requests:
        by_key.setdefault(engine.batch_key(request), []).append(request)
    return [
        alike[start : start + engine.max_batch]
        for alike in by_key.values()
        for start in range(0, len(alike), engine.max_batch)
    ]


def _made_by(engine: Engine, batch: Sequence[Request]) -> float:
    return sum(made_in(chunk) for _, chunk in engine.generate(batch))


def made_in(chunk: Chunk | EngineError) -> float:
    """Tokens, images or seconds of speech that a chunk stands for."""
    match chunk:
        case EngineError():
            raise chunk
        case FileChunk(media_type=kind) if kind.startswith("image/"):
            return 1.0
        case FileChunk():
            return float(chunk.about["duration_s"])
        case DoneChunk():
            return float(chunk.usage.get("completion_tokens", 0))
    return 0.0


if __name__ == "__main__":
    main()
