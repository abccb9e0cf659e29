"""Health check of a gpu worker's container: its heartbeat is in Redis. Exit code 0 or 1."""

import os
import socket
import sys
from pathlib import Path

from redis import Redis

from gpu_workers.contract.job_log import WORKERS_KEY, worker_key


def is_alive(url: str, host: str) -> bool:
    """Whether a worker of this host has sent a heartbeat that has not run out."""
    with Redis.from_url(url, decode_responses=True, socket_timeout=3) as redis:
        names = [str(name) for name in redis.sscan_iter(WORKERS_KEY) if f"@{host}:" in str(name)]
        return bool(names) and bool(redis.exists(*map(worker_key, names)))


if __name__ == "__main__":
    # A health check does not pass the entry point, so it reads the address where that does.
    file = os.environ.get("AIGC_REDIS_URL_FILE")
    address = Path(file).read_text(encoding="ascii") if file else os.environ["AIGC_REDIS_URL"]
    sys.exit(not is_alive(address, socket.gethostname()))
