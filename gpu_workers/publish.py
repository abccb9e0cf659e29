"""The way of events out of the worker: one flusher thread for the whole process, one pipeline per tick.

Job threads only put events into their outbox. The flusher numbers them, merges the deltas of a tick, appends them to
each job's log and then puts what Redis accepted on the live streams. It is exact through a Redis restart: appends are
idempotent by number, and events stay in the outbox for some seconds after they were accepted, so that a log that lost
its last second is filled up again.
"""

from __future__ import annotations

import threading
import time
from typing import NamedTuple

import structlog
from redis import Redis
from redis.exceptions import NoScriptError, RedisError, ResponseError

from gpu_workers.contract.events import Delta, Event
from gpu_workers.contract.job_log import Appended, JobLog, LiveEntry

logger = structlog.get_logger(__name__)

RETAIN_S = 10.0  # longer than `appendfsync everysec` can lose
# The pause after a flush. A flush has a fixed price, here, in Redis and in every web process, so many streams
# share one: 1 ms up to 10 jobs, 5 ms to 100, from there 0.05 ms for each job up to 20 ms.
TICK_S, SHARED_TICK_S, TICK_PER_JOB_S, LONGEST_TICK_S, OVERLOAD_TICK_S = 0.001, 0.005, 0.00005, 0.020, 0.050
FEW_JOBS = 10
REDIS_PAUSE_S = 0.2
PASSING_ERRORS = ("OOM", "LOADING", "READONLY", "MISCONF", "TRYAGAIN", "CLUSTERDOWN")
UNSENT_LIVE_MAX = 10_000  # followers that miss live events read the log, so dropping the oldest is safe


class Numbered(NamedTuple):
    """An event ready to send."""

    number: int
    type: str
    data: str
    terminal: bool
    made_at: float


class Outbox:
    """The events of one attempt of one job on their way out."""

    def __init__(self, job_id: str, attempt: int, worker: str, number: int) -> None:
        self.job_id, self.attempt, self.worker = job_id, attempt, worker
        self.ended = threading.Event()  # the terminal event is in the log, or the attempt is lost
        self.lost = threading.Event()  # the log refuses this attempt: somebody else goes on
        self._pending: list[Event] = []
        self._numbered: list[Numbered] = []  # without a gap, so an event is found by its number
        self._number = self._accepted = number

    def put(self, event: Event) -> None:
        """Add an event; deltas of the same tick become one. The publisher's lock is held."""
        last = self._pending[-1] if self._pending else None
        if isinstance(event, Delta) and isinstance(last, Delta) and not (last.text and event.reasoning):
            self._pending[-1] = Delta(
                text=_joined(last.text, event.text), reasoning=_joined(last.reasoning, event.reasoning)
            )
        else:
            self._pending.append(event)

    def number_pending(self, now: float) -> None:
        """Give the waiting events their numbers. The publisher's lock is held."""
        for event in self._pending:
            self._number += 1
            self._numbered.append(Numbered(self._number, event.type, event.dumps(), event.terminal, now))
        self._pending.clear()

    def unaccepted(self) -> list[Numbered]:
        """What the log does not have yet."""
        if not self._numbered:
            return []
        return self._numbered[max(0, self._accepted + 1 - self._numbered[0].number) :]

    def take_answer(self, answer: Appended, sent: list[Numbered], now: float) -> bool:
        """Note what the log said; True when these events are in it."""
        if answer.answer == "ok":
            self._accepted = answer.number
            self._forget(now)
            if sent[-1].terminal:
                self.ended.set()
            return True
        if answer.answer == "behind" and self._numbered[0].number <= answer.number + 1:
            logger.warning("log_behind", job=self.job_id, log=answer.number, had=self._accepted)
            self._accepted = answer.number
            return False
        self.give_up()
        return False

    def _forget(self, now: float) -> None:
        """Drop what no crash of Redis can take back any more, some at a time."""
        if now - self._numbered[0].made_at > 2 * RETAIN_S:
            old = sum(
                now - event.made_at > RETAIN_S and event.number <= self._accepted for event in self._numbered
            )
            del self._numbered[:old]

    def give_up(self) -> None:
        """The attempt is no longer ours."""
        self.lost.set()
        self.ended.set()


class Publisher:
    """The flusher. `emit` from any thread; `start` once, `close` at the end."""

    def __init__(self, redis: Redis, log: JobLog) -> None:
        self._redis, self._log = redis, log
        self._wake = threading.Condition()
        self._changed: set[Outbox] = set()
        self._live_jobs = 0
        self._unsent_live: list[LiveEntry] = []
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)

    def start(self) -> None:
        """Start flushing."""
        self._thread.start()

    def close(self) -> None:
        """Flush what waits and end."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join(timeout=5)

    def open(self, job_id: str, attempt: int, worker: str, number: int) -> Outbox:
        """The outbox of a claimed job; `number` as the claim said."""
        with self._wake:
            self._live_jobs += 1
        return Outbox(job_id, attempt, worker, number)

    def forget(self, outbox: Outbox) -> None:
        """The job is over."""
        with self._wake:
            self._live_jobs -= 1
            self._changed.discard(outbox)

    def emit(self, outbox: Outbox, event: Event) -> None:
        """Send an event soon; returns at once."""
        with self._wake:
            outbox.put(event)
            if not self._changed:
                self._wake.notify()
            self._changed.add(outbox)

    def _run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._changed or self._unsent_live or self._closing)
                if self._closing and not self._changed:
                    return
                outboxes = list(self._changed)
                self._changed.clear()
                now = time.monotonic()
                for outbox in outboxes:
                    outbox.number_pending(now)
                live_jobs = self._live_jobs
            started = time.monotonic()
            try:
                self._flush(outboxes)
            except RedisError as error:
                logger.warning("redis_away", error=str(error), jobs=len(outboxes))
                self._put_back(outboxes)
                time.sleep(REDIS_PAUSE_S)
                continue
            time.sleep(_tick(live_jobs, time.monotonic() - started))

    def _flush(self, outboxes: list[Outbox]) -> None:
        pipe = self._redis.pipeline(transaction=False)
        sent: list[tuple[Outbox, list[Numbered]]] = []
        for outbox in outboxes:
            events = outbox.unaccepted()
            if not events or outbox.lost.is_set():
                continue
            terminal = events[-1].type if events[-1].terminal else ""
            parts = [(event.type, event.data) for event in events]
            self._log.queue_append(
                pipe, outbox.job_id, outbox.attempt, outbox.worker, events[0].number, parts, terminal
            )
            sent.append((outbox, events))
        answers = pipe.execute(raise_on_error=False) if sent else []
        again: list[Outbox] = []
        failure: RedisError | None = None
        for (outbox, events), answer in zip(sent, answers, strict=True):
            if isinstance(answer, NoScriptError):
                self._log.load_scripts()
                again.append(outbox)
            elif isinstance(answer, RedisError):
                if _passes(answer):
                    failure = answer
                    again.append(outbox)
                else:  # sending the same again would fail the same way: let the next attempt write it anew
                    logger.error("append_failed", job=outbox.job_id, error=str(answer))
                    outbox.give_up()
            elif outbox.take_answer(Appended(answer[0].decode(), int(answer[1])), events, time.monotonic()):
                self._unsent_live += _live(outbox, events)
            elif not outbox.lost.is_set():
                again.append(outbox)
        self._put_back(again)
        self._unsent_live = self._unsent_live[-UNSENT_LIVE_MAX:]
        if self._unsent_live:
            self._log.broadcast(self._unsent_live)
            self._unsent_live = []
        if failure is not None:
            raise failure

    def _put_back(self, outboxes: list[Outbox]) -> None:
        with self._wake:
            self._changed.update(outboxes)


def _passes(error: RedisError) -> bool:
    """Whether the error is about Redis at this moment (away, loading, out of memory), not about what was sent."""
    return not isinstance(error, ResponseError) or str(error).startswith(PASSING_ERRORS)


def _live(outbox: Outbox, events: list[Numbered]) -> list[LiveEntry]:
    return [
        LiveEntry(outbox.job_id, outbox.attempt, event.number, event.type, event.data) for event in events
    ]


def _joined(first: str | None, second: str | None) -> str | None:
    return (first or "") + (second or "") if first or second else None


def _tick(live_jobs: int, flush_s: float) -> float:
    if flush_s > LONGEST_TICK_S:
        return OVERLOAD_TICK_S
    if live_jobs <= FEW_JOBS:
        return TICK_S
    return min(max(SHARED_TICK_S, live_jobs * TICK_PER_JOB_S), LONGEST_TICK_S)
