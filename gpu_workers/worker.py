"""A worker process: claims jobs, runs them, keeps their leases, and lets go of them in good order.

One instance for the process. Every job has its thread (Celery's threads pool), which mostly waits for its engine; one
thread renews all leases, one listens for cancellations, one is the publisher's flusher.
"""

from __future__ import annotations

import base64
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import structlog
from redis import Redis
from redis.exceptions import NoScriptError, RedisError

from gpu_workers.config import Config
from gpu_workers.contract.events import (
    Artifact,
    Audio,
    Blocked,
    Cancelled,
    Delta,
    Event,
    Failed,
    Finished,
    Preview,
    Progress,
    Retry,
    Started,
    fold,
)
from gpu_workers.contract.job_log import CONTROL_CHANNEL, JobLog, artifact_url
from gpu_workers.contract.messages import SETTLE_TASK, STARTED_TASK, Generate, ModelSpec
from gpu_workers.engines.base import (
    Chunk,
    DoneChunk,
    EngineError,
    FileChunk,
    PreviewChunk,
    Request,
    RestartChunk,
    Resume,
    SpeechChunk,
    SpokenSentence,
    StepChunk,
    TextChunk,
)
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
from gpu_workers.model_pool import LoadAborted, LoadedModel, ModelPool
from gpu_workers.publish import Outbox, Publisher
from gpu_workers.text_filter import Refusal, TextFilter, filter_for_job

logger = structlog.get_logger(__name__)

MAX_FILE_BYTES = 64 * 1024 * 1024
REDIS_PAUSE_S = 0.5
RENEWALS_PER_LEASE = 5
Send = Callable[[str, str], None]  # task name, job id


@dataclass(slots=True, eq=False)
class Running:
    """A job in this worker's hands."""

    message: Generate
    outbox: Outbox
    cancelled: threading.Event = field(default_factory=threading.Event)
    handed_back: threading.Event = field(default_factory=threading.Event)

    def stopped(self) -> bool:
        """Whether the engine shall stop, for whatever reason."""
        return self.cancelled.is_set() or self.outbox.lost.is_set() or self.handed_back.is_set()


class Worker:
    """Runs jobs of the media it was started for."""

    def __init__(self, config: Config, *, media: list[str], slots: int, send: Send) -> None:
        self.config, self.media, self.slots, self._send = config, media, slots, send
        self.name = f"{'-'.join(media)}@{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:6]}"
        # Blocking reads have no timeout of their own: `socket_timeout` would kill them (redis-py 8 defaults to 5 s).
        self.redis = Redis.from_url(config.redis_url, socket_timeout=None, max_connections=slots + 16, health_check_interval=30)
        self.log = JobLog(
            self.redis,
            shards=config.live_shards,
            cap=config.log_cap,
            ended_ttl_s=config.stream_ttl_s,
            lease_s=config.lease_s,
        )
        self.publisher = Publisher(self.redis, self.log)
        self.counters = Counters()
        self.pool = ModelPool(memory_budget_bytes(config.model_memory_gb), ModelReporter(self.redis))
        self._running: set[Running] = set()  # an attempt that was lost may still wind up beside its successor
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._draining = False

    # --- the process

    def start(self) -> None:
        """Start the threads."""
        self.publisher.start()
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
        claim = self.log.claim(message.job_id, message.attempt, self.name)
        if claim.answer != "ok":
            logger.info("claim_refused", job=message.job_id, attempt=message.attempt, reason=claim.answer)
            return
        outbox = self.publisher.open(message.job_id, message.attempt, self.name, claim.number)
        running = Running(message, outbox)
        with self._lock:
            self._running.add(running)
        try:
            self._emit(running, Started(attempt=message.attempt, model=message.model.id))
            self._tell_web_side(STARTED_TASK, message.job_id)
            last = self._generate(running)
            if last is not None:
                self._emit(running, last)
                outbox.ended.wait()
                if not outbox.lost.is_set():
                    self.counters.add(f"ended.{last.type}")
                    self._tell_web_side(SETTLE_TASK, message.job_id)
        finally:
            with self._lock:
                self._running.discard(running)
            self.publisher.forget(outbox)

    def _generate(self, running: Running) -> Event | None:
        """Run the engine; the terminal event, or None when the job is no longer ours."""
        message = running.message
        last: Event | None
        try:
            request = self._request(running)

            def progress(step: Progress) -> None:
                self._emit(running, step)

            with self.pool.use(message.model, progress, running.stopped) as model:
                last = self._pump(running, model, request)
        except LoadAborted:
            last = None
        except EngineError as error:
            last = Failed(code=error.code, message=error.message, retryable=error.retryable)
        except Exception:  # noqa: BLE001  the edge of the process: one job's failure must not take others with it
            logger.exception("job_crashed", job=message.job_id)
            text = "The worker failed unexpectedly; its log has the reason under this job's id."
            last = Failed(code="internal_error", message=text, retryable=True)
        if running.outbox.lost.is_set() or (running.handed_back.is_set() and last is None):
            return None
        return last or Cancelled()

    def _pump(self, running: Running, model: LoadedModel, request: Request) -> Event | None:
        """Turn chunks into events until the engine is done; None when it stopped before that."""
        started, first_chunk_s = time.monotonic(), None
        text_filter = filter_for_job()
        for chunk in model.run(request):
            if running.stopped():
                return None
            if first_chunk_s is None:
                first_chunk_s = time.monotonic() - started
            if isinstance(chunk, DoneChunk):
                if refusal := self._let_out(running, text_filter.flush()):
                    return refusal
                timing = {"first_chunk_s": round(first_chunk_s, 3), "run_s": round(time.monotonic() - started, 3)}
                self.counters.add("tokens", chunk.usage.get("completion_tokens", 0))
                return Finished({**chunk.usage, **timing}, chunk.finish_reason, chunk.confidence)
            if isinstance(chunk, TextChunk):
                if refusal := self._let_out(running, text_filter.feed(chunk)):
                    return refusal
            else:
                self._emit(running, self._event_of(running, chunk))
        if not running.stopped():
            raise EngineError("engine_ended_early", "The engine ended without saying that it was done.", retryable=True)
        return None

    def _let_out(self, running: Running, passed: Iterator[TextChunk | Refusal]) -> Blocked | None:
        """Emit what the text filter lets out; the terminal event when it refuses."""
        for item in passed:
            if isinstance(item, Refusal):
                return Blocked(rule=item.rule)
            self._emit(running, Delta(text=item.text or None, reasoning=item.reasoning or None))
        return None

    def _event_of(self, running: Running, chunk: Chunk) -> Event:
        """The event of a chunk; bytes are in Redis before their event is made."""
        match chunk:
            case StepChunk():
                return Progress(step=chunk.step, steps=chunk.steps, unit=chunk.unit)
            case PreviewChunk():
                picture = base64.b64encode(chunk.jpeg).decode()
                return Preview(image=f"data:image/jpeg;base64,{picture}", index=chunk.index)
            case SpeechChunk():
                id_ = self._keep(running, chunk.wav)
                url = artifact_url(running.message.job_id, id_)
                return Audio(id=id_, url=url, index=chunk.index, text=chunk.text, duration_s=chunk.duration_s)
            case FileChunk():
                id_ = self._keep(running, chunk.data)
                url = artifact_url(running.message.job_id, id_)
                return Artifact(id=id_, url=url, media_type=chunk.media_type, **chunk.about)
            case RestartChunk():
                return Retry(attempt=running.message.attempt, origin="start")
        raise TypeError(f"engine yielded {chunk!r}")

    def _keep(self, running: Running, data: bytes) -> str:
        if len(data) > MAX_FILE_BYTES:
            size = f"{len(data) / 1024**2:.0f} MB, more than the {MAX_FILE_BYTES // 1024**2} MB that one file may have"
            raise EngineError("file_too_large", f"The result has {size}. Make it smaller or split it.")
        id_ = uuid.uuid4().hex
        self.log.put_bytes(running.message.job_id, id_, data, self.config.artifact_ttl_s)
        return id_

    def _request(self, running: Running) -> Request:
        message = running.message
        attachments = {name: self._attachment(message.job_id, name, id_) for name, id_ in message.attachments.items()}
        resume = self._resume(running) if message.attempt > 1 else Resume()
        return Request(message.typed_params(), running.stopped, resume, attachments)

    def _attachment(self, job_id: str, name: str, id_: str) -> bytes:
        data = self.log.get_bytes(job_id, id_)
        if data is None:
            raise EngineError("attachment_gone", f"The {name} of this job is no longer there; send it again.", retryable=True)
        return data

    def _resume(self, running: Running) -> Resume:
        """What the reader has already; speech whose bytes have expired starts again, and the stream says so."""
        message = running.message
        so_far = fold(entry.event for entry in self.log.read(message.job_id))
        sentences: list[SpokenSentence] = []
        for audio in so_far.audio:
            wav = self.log.get_bytes(message.job_id, audio.id)
            if wav is None:
                self._emit(running, Retry(attempt=message.attempt, origin="start"))
                return Resume()
            sentences.append(SpokenSentence(audio.index, audio.text, wav))
        return Resume(so_far.text, so_far.reasoning, tuple(sentences))

    def _emit(self, running: Running, event: Event) -> None:
        self.publisher.emit(running.outbox, event)

    def _tell_web_side(self, task: str, job_id: str) -> None:
        """Ask the cpu worker to look at the job now; the sweep would, some seconds later, when this is lost."""
        try:
            self._send(task, job_id)
        except Exception as error:  # noqa: BLE001  whatever the broker's client raises, the job goes on
            logger.warning("message_unsent", task=task, job=job_id, error=str(error))

    # --- the threads

    def _keep_leases(self) -> None:
        while not self._closing.is_set():
            try:
                self._renew_all()
                send_heartbeat(self.redis, self._heartbeat())
            except NoScriptError:
                self.log.load_scripts()
                continue
            except RedisError as error:
                logger.warning("redis_away", error=str(error))
            self._closing.wait(self.config.lease_s / RENEWALS_PER_LEASE)

    def _renew_all(self) -> None:
        with self._lock:
            running = list(self._running)
        pipe = self.redis.pipeline(transaction=False)
        for job in running:
            self.log.queue_renew(pipe, job.message.job_id, job.message.attempt, self.name)
        for job, answer in zip(running, pipe.execute(), strict=True) if running else ():
            if answer == b"cancel":
                job.cancelled.set()
            elif answer == b"lost" and not job.outbox.ended.is_set():
                logger.warning("lease_lost", job=job.message.job_id, attempt=job.message.attempt)
                job.outbox.give_up()

    def _listen_for_cancellations(self) -> None:
        while not self._closing.is_set():
            try:
                with self.redis.pubsub(ignore_subscribe_messages=True) as channel:
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
            running = list(self._running)
        for job in running:
            if job.message.job_id == job_id:
                job.cancelled.set()

    def _drain(self) -> None:
        deadline = time.monotonic() + self.config.drain_s
        while time.monotonic() < deadline:
            with self._lock:
                if not self._running:
                    return
            time.sleep(0.1)
        with self._lock:
            running = list(self._running)
        for job in running:
            logger.info("handed_back", job=job.message.job_id)
            job.handed_back.set()
            try:
                self.log.release(job.message.job_id, job.message.attempt, self.name)
            except RedisError as error:
                logger.warning("release_unsent", job=job.message.job_id, error=str(error))  # the lease runs out by itself

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
            busy = len(self._running)
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
