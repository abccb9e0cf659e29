"""Telling the web side which jobs to look at: one message for all that have changed since the last one."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

logger = structlog.get_logger(__name__)

# The first of a burst is told at once, the rest of it together: a message costs the broker, this process and the cpu
# worker some milliseconds, whatever number of jobs it names.
PAUSE_S = 0.05
JOBS_MAX = 100


class Notifier:
    """`tell` from any thread; `start` once, `close` at the end. What is lost on the way, the sweep finds."""

    def __init__(self, send: Callable[[list[str]], None]) -> None:
        self._send = send
        self._wake = threading.Condition()
        self._job_ids: dict[str, None] = {}  # a set that keeps the order
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="notifier", daemon=True)

    def start(self) -> None:
        """Start sending."""
        self._thread.start()

    def close(self) -> None:
        """Send what waits and end."""
        self._closing.set()
        with self._wake:
            self._wake.notify()
        self._thread.join(timeout=5)

    def tell(self, job_id: str) -> None:
        """The job has begun or ended: its row has to follow. Returns at once."""
        with self._wake:
            self._job_ids[job_id] = None
            self._wake.notify()

    def _run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._job_ids or self._closing.is_set())
                if not self._job_ids:
                    return
                job_ids = list(self._job_ids)[:JOBS_MAX]
                for job_id in job_ids:
                    del self._job_ids[job_id]
            try:
                self._send(job_ids)
            except Exception as error:  # noqa: BLE001  whatever the broker's client raises, the jobs go on
                logger.warning("message_unsent", jobs=len(job_ids), error=str(error))
            self._closing.wait(PAUSE_S)
