"""The worker's settings, read once from the environment; a wrong value stops the start with its name."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

T = TypeVar("T")


class BadSetting(ValueError):
    """An environment variable holds what it may not hold."""


@dataclass(frozen=True, slots=True)
class Config:
    """See docs/settings.md for each."""

    redis_url: str
    data_dir: Path
    live_shards: int
    log_cap: int
    stream_ttl_s: int
    artifact_ttl_s: int
    lease_s: float
    drain_s: float
    model_memory_gb: float | None

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Self:
        """Read the settings. Raises BadSetting."""

        def read(name: str, convert: Callable[[str], T], default: T) -> T:
            text = env.get(name, "")
            try:
                return convert(text) if text else default
            except ValueError as error:
                raise BadSetting(f"{name}={text!r}: {error}") from error

        return cls(
            redis_url=env.get("AIGC_REDIS_URL") or "redis://127.0.0.1:6379/0",
            data_dir=Path(env.get("AIGC_DATA_DIR") or "data").resolve(),
            live_shards=read("AIGC_LIVE_SHARDS", _positive, 1),
            log_cap=read("AIGC_LOG_CAP", _positive, 4000),
            stream_ttl_s=read("AIGC_STREAM_TTL_S", _positive, 24 * 3600),
            artifact_ttl_s=read("AIGC_ARTIFACT_TTL_S", _positive, 3600),
            lease_s=read("AIGC_LEASE_S", float, 10.0),
            drain_s=read("AIGC_DRAIN_S", float, 25.0),
            model_memory_gb=read("AIGC_MODEL_MEMORY_GB", _optional_float, None),
        )


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError("must be 1 or more")
    return number


def _optional_float(text: str) -> float | None:
    return float(text)
