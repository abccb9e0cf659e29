"""A worker process: claims jobs, runs them, keeps their leases, and lets go of them in good order.

One instance for the process. Every job has its thread (Celery's threads pool), which mostly waits for its engine; one
thread renews all leases, one listens for cancellations, one is the publisher's flusher.
"""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Sequence

import structlog
from redis import Redis
from redis.exceptions import NoScriptError, RedisError

from gpu_workers.config import Config
from gpu_workers.contract.events import Event
from gpu_workers.contract.job_log import CONTROL_CHANNEL, JobLog
from gpu_workers.contract.messages import Generate, ModelSpec
from gpu_workers.engines.base import EngineError
from gpu_workers.health import (
    Counters,
    Heartbeat,
    ModelReporter,
    gpu_figures,
    memory_budget_bytes,
    memory_bytes,
    say_goodbye,
    send_heartbeat,
)
from gpu_workers.job_run import JobRun
from gpu_workers.model_pool import LoadAborted, ModelPool
from gpu_workers.notify import Notifier
from gpu_workers.publish import Publisher

logger = structlog.get_logger(__name__)

REDIS_PAUSE_S = 0.5
RENEWALS_PER_LEASE = 5


class Worker:
    """Runs jobs of the media it was started for."""

    def __init__(
        self, config: Config, *, media: Sequence[str], slots: int, send: Callable[[list[str]], None]
    ) -> None:
        self.config, self.media, self.slots = config, list(media), slots
        self.name = f"{'-'.join(media)}@{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:6]}"
        # Blocking reads have no timeout of their own: `socket_timeout` would kill them (redis-py 8 defaults to 5 s).
        self.redis = Redis.from_url(
            config.redis_url, socket_timeout=None, max_connections=slots + 16, health_check_interval=30
        )
        self.log = JobLog(
            self.redis,
            shards=config.live_shards,
            cap=config.log_cap,
            ended_ttl_s=config.stream_ttl_s,
            lease_s=config.lease_s,
        )
        self.publisher = Publisher(self.redis, self.log)
        self.notifier = Notifier(send)
        self.counters = Counters()
        self._reporter = ModelReporter(self.redis)
        self.pool = ModelPool(memory_budget_bytes(config.model_memory_gb), self._reporter)
        self._runs: set[JobRun] = set()  # an attempt that was lost may still wind up beside its successor
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._draining = False

    # --- the process

    def start(self) -> None:
        """Start the threads."""
        self.publisher.start()
        self.notifier.start()
        for target in (self._keep_leases, self._listen_for_cancellations):
            threading.Thread(target=target, name=target.__name__.strip("_"), daemon=True).start()

    def drain(self) -> None:
        """Let running jobs finish within the grace period, then hand the rest back. Returns at once."""
        self._draining = True
        threading.Thread(target=self._drain, name="drain", daemon=True).start()

    def close(self) -> None:
        """End the threads; the pool of job threads is empty by now."""
        self._closing.set()
        self.publisher.close()
        self.notifier.close()
        self.pool.close()
        try:
            say_goodbye(self.redis, self.name)
        except RedisError as error:
            logger.warning("goodbye_unsent", error=str(error))

    def preload(self, spec: ModelSpec) -> None:
        """Load a model (downloading it where it must be) before a job asks for it."""
        try:
            with self.pool.use(spec, lambda _progress: None, self._closing.is_set):
                pass
        except EngineError as error:
            logger.warning("preload_failed", model=spec.id, error=error.message)
        except LoadAborted:
            pass  # the worker is going down; the model's state says how far it came

    # --- a job

    def run(self, message: Generate) -> None:
        """Claim the job and run it to its end; a job that is not ours to run is left alone."""
        claim = self.log.claim(message.job_id, message.attempt, self.name, message.model.id)
        if claim.answer != "ok":
            logger.info("claim_refused", job=message.job_id, attempt=message.attempt, reason=claim.answer)
            return
        outbox = self.publisher.open(message.job_id, message.attempt, self.name, claim.number)
        run = JobRun(
            message,
            outbox,
            publisher=self.publisher,
            log=self.log,
            artifact_ttl_s=self.config.artifact_ttl_s,
        )
        with self._lock:
            self._runs.add(run)
        try:
            self.notifier.tell(message.job_id)
            last = run.run(self.pool)
            if last is not None:
                self._end(run, last)
        finally:
            with self._lock:
                self._runs.discard(run)
            self.publisher.forget(outbox)

    def _end(self, run: JobRun, last: Event) -> None:
        """Write the terminal event, and have the web side take the result once it is in the log."""
        run.emit(last)
        run.outbox.ended.wait()
        if not run.outbox.lost.is_set():
            self.counters.add(f"ended.{last.type}")
            self.counters.add("tokens", run.tokens)
            self.notifier.tell(run.message.job_id)

    # --- the threads

    def _keep_leases(self) -> None:
        while not self._closing.is_set():
            try:
                self._renew_all()
                send_heartbeat(self.redis, self._heartbeat())
                self._reporter.keep_ready([slot.spec.id for slot in self.pool.loaded()])
            except NoScriptError:
                self.log.load_scripts()
                continue
            except RedisError as error:
                logger.warning("redis_away", error=str(error))
            self._closing.wait(self.config.lease_s / RENEWALS_PER_LEASE)

    def _renew_all(self) -> None:
        with self._lock:
            runs = list(self._runs)
        pipe = self.redis.pipeline(transaction=False)
        for run in runs:
            self.log.queue_renew(pipe, run.message.job_id, run.message.attempt, self.name)
        for run, answer in zip(runs, pipe.execute(), strict=True) if runs else ():
            if answer == b"cancel":
                run.cancelled.set()
            elif answer == b"lost" and not run.outbox.ended.is_set():
                logger.warning("lease_lost", job=run.message.job_id, attempt=run.message.attempt)
                run.outbox.give_up()

    def _listen_for_cancellations(self) -> None:
        while not self._closing.is_set():
            try:
                with self.redis.pubsub(ignore_subscribe_messages=True) as channel:  # type: ignore[no-untyped-call]
                    channel.subscribe(CONTROL_CHANNEL)
                    while not self._closing.is_set():
                        message = channel.get_message(timeout=1.0)
                        if message is not None:
                            self._cancel(message["data"].decode())
            except RedisError as error:
                logger.warning("redis_away", error=str(error))
                self._closing.wait(REDIS_PAUSE_S)

    def _cancel(self, job_id: str) -> None:
        with self._lock:
            runs = list(self._runs)
        for run in runs:
            if run.message.job_id == job_id:
                run.cancelled.set()

    def _drain(self) -> None:
        deadline = time.monotonic() + self.config.drain_s
        while time.monotonic() < deadline:
            with self._lock:
                if not self._runs:
                    return
            time.sleep(0.1)
        with self._lock:
            runs = list(self._runs)
        for run in runs:
            logger.info("handed_back", job=run.message.job_id)
            run.handed_back.set()
            try:
                self.log.release(run.message.job_id, run.message.attempt, self.name)
            except RedisError as error:  # then the lease runs out by itself
                logger.warning("release_unsent", job=run.message.job_id, error=str(error))

    def _heartbeat(self) -> Heartbeat:
        models = [
            {
                "id": slot.spec.id,
                "memory_bytes": slot.loaded.result().engine.memory_bytes(),
                "load_s": round(slot.load_s, 2),
                "users": slot.users,
            }
            for slot in self.pool.loaded()
        ]
        with self._lock:
            busy = len(self._runs)
        return Heartbeat(
            name=self.name,
            pid=os.getpid(),
            media=self.media,
            slots=self.slots,
            busy=busy,
            draining=self._draining,
            models=models,
            memory_bytes=memory_bytes(),
            gpus=gpu_figures(),
            counters=self.counters.read(),
        )
