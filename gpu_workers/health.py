"""What a worker says of itself, every two seconds, to whoever asks Redis: load, models, memory, counters."""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import pynvml
import structlog
from redis import Redis
from redis.exceptions import RedisError

from gpu_workers.contract.events import Progress
from gpu_workers.contract.job_log import WORKERS_KEY, model_key, voices_key, worker_key
from gpu_workers.contract.messages import ModelSpec, Voice

logger = structlog.get_logger(__name__)

HEARTBEAT_TTL_S = 10
MODEL_STATE_TTL_S = 24 * 3600
MODEL_READY_TTL_S = 30  # renewed by the heartbeat, so that a model does not stay "ready" without its worker


@dataclass(slots=True)
class Counters:
    """What the worker did since it started; thread-safe."""

    _counts: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, name: str, amount: float = 1) -> None:
        """Count."""
        with self._lock:
            self._counts[name] += amount  # type: ignore[assignment]  # Counter holds floats as well as ints

    def read(self) -> dict[str, float]:
        """All counts."""
        with self._lock:
            return dict(self._counts)


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A worker's state; memory in bytes."""

    name: str
    pid: int
    media: list[str]
    slots: int
    busy: int
    draining: bool
    models: list[dict[str, Any]]
    memory_bytes: int
    gpus: list[dict[str, Any]]
    counters: dict[str, float]


def send_heartbeat(redis: Redis, heartbeat: Heartbeat) -> None:
    """Tell Redis; the entry goes by itself when the worker does."""
    pipe = redis.pipeline(transaction=False)
    pipe.set(worker_key(heartbeat.name), json.dumps(asdict(heartbeat)), ex=HEARTBEAT_TTL_S)
    pipe.sadd(WORKERS_KEY, heartbeat.name)
    pipe.execute()


def say_goodbye(redis: Redis, name: str) -> None:
    """Take the worker off the list."""
    redis.delete(worker_key(name))
    redis.srem(WORKERS_KEY, name)


class ModelReporter:
    """Writes the state of a model's loading where the catalogue reads it."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def __call__(self, spec: ModelSpec, state: str, progress: Progress | None, message: str) -> None:
        """`state` is idle, downloading, loading, ready or failed."""
        done, total = (progress.step, progress.steps) if progress else (0, 0)
        try:
            self._redis.hset(
                model_key(spec.id), mapping={"state": state, "done": done, "total": total, "message": message}
            )
            self._redis.expire(
                model_key(spec.id), MODEL_READY_TTL_S if state == "ready" else MODEL_STATE_TTL_S
            )
        except RedisError as error:
            logger.warning("model_state_unsent", model=spec.id, error=str(error))

    def keep_ready(self, model_ids: Sequence[str]) -> None:
        """These models are still loaded."""
        for model_id in model_ids:
            self._redis.expire(model_key(model_id), MODEL_READY_TTL_S)

    def tell_voices(self, spec: ModelSpec, voices: Sequence[Voice], languages: Sequence[str]) -> None:
        """How a model that was just loaded can speak."""
        spoken = {"voices": [asdict(voice) for voice in voices], "languages": list(languages)}
        try:
            self._redis.set(voices_key(spec.id), json.dumps(spoken, ensure_ascii=False))
        except RedisError as error:
            logger.warning("voices_unsent", model=spec.id, error=str(error))


def memory_bytes() -> int:
    """Resident memory of this process."""
    try:
        with open("/proc/self/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def gpu_figures() -> list[dict[str, Any]]:
    """Name, memory (bytes) and load (percent) of each NVIDIA card; empty without one."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        return [_gpu(index) for index in range(pynvml.nvmlDeviceGetCount())]
    finally:
        pynvml.nvmlShutdown()


def memory_budget_bytes(limit_gb: float | None) -> int:
    """What models may hold: the setting, else 90 % of the cards' memory, else half of the machine's."""
    if limit_gb is not None:
        return int(limit_gb * 1024**3)
    if cards := gpu_figures():
        return int(sum(card["memory_total"] for card in cards) * 0.9)
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def _gpu(index: int) -> dict[str, Any]:
    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    load = pynvml.nvmlDeviceGetUtilizationRates(handle)
    name = pynvml.nvmlDeviceGetName(handle)
    return {
        "index": index,
        "name": str(name),
        "memory_used": memory.used,
        "memory_total": memory.total,
        "load": load.gpu,
    }
