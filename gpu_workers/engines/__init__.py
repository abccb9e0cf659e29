"""The engines: a new one is one module with a `load` function and one line in this table."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from gpu_workers.contract.messages import ModelSpec
from gpu_workers.engines.base import Engine, EngineError, Loader, ProgressCallback

ENGINES = {
    "deepseek": "gpu_workers.engines.deepseek",
    "openai": "gpu_workers.engines.openai",
    "sdxl": "gpu_workers.engines.sdxl",
    "vits": "gpu_workers.engines.vits",
    "espeak": "gpu_workers.engines.espeak",
}


def load_engine(spec: ModelSpec, progress: ProgressCallback) -> Engine:
    """Load the model with its engine; model libraries are imported here, on first use.

    Raises EngineError with code `unknown_engine`, or what the engine says.
    """
    if spec.engine not in ENGINES:
        known = ", ".join(sorted(ENGINES))
        raise EngineError("unknown_engine", f"Model {spec.id} wants engine {spec.engine!r}; known: {known}.")
    load = cast(Loader, import_module(ENGINES[spec.engine]).load)
    return load(spec, progress)
