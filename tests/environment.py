"""The run's own folder and Redis. Settings are read when Django is imported, so this is imported before them."""

from __future__ import annotations

import atexit
import os
import tempfile
from pathlib import Path

from deploy.local.redis_server import RedisServer

_folder = tempfile.TemporaryDirectory(prefix="aigc-tests-")
run_redis = RedisServer.start(Path(_folder.name) / "redis")
os.environ.update(
    AIGC_ENV="test",
    AIGC_DATA_DIR=_folder.name,
    AIGC_REDIS_URL=run_redis.url,
    AIGC_LOG_FORMAT="console",
    OMP_NUM_THREADS="1",
)


@atexit.register
def clean_up() -> None:
    """Both go with the run."""
    run_redis.stop()
    _folder.cleanup()
