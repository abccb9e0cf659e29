"""One attempt of one job in a worker's hands: from the engine's chunks to the job's events, and its end."""

from __future__ import annotations

import base64
import threading
import time
import uuid
from collections.abc import Iterator

import stamina
import structlog
from redis.exceptions import RedisError

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
    fold,
)
from gpu_workers.contract.job_log import JobLog, artifact_url
from gpu_workers.contract.messages import Generate
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
from gpu_workers.model_pool import LoadAborted, ModelPool
from gpu_workers.publish import Outbox, Publisher
from gpu_workers.text_filter import Refusal, filter_for_job

logger = structlog.get_logger(__name__)

MAX_FILE_BYTES = 64 * 1024 * 1024
REDIS_BACK_WITHIN_S = 30.0
CRASHED = "The worker failed unexpectedly; its log has the reason under this job's id."


class JobRun:
    """Runs a claimed job. `run` is called once; the events may be set from any thread."""

    def __init__(
        self, message: Generate, outbox: Outbox, *, publisher: Publisher, log: JobLog, artifact_ttl_s: int
    ) -> None:
        self.message, self.outbox = message, outbox
        self.cancelled = threading.Event()
        self.handed_back = threading.Event()
        self.tokens = 0
        self._publisher, self._log, self._artifact_ttl_s = publisher, log, artifact_ttl_s
        self._text_filter = filter_for_job()
        self._last: Event | None = None
        self._over = False  # what comes now is too late: a batch may end after a request that was stopped
        self._started = time.monotonic()
        self._first_chunk_s: float | None = None

    def stopped(self) -> bool:
        """Whether the engine shall stop, for whatever reason."""
        return (
            self._last is not None
            or self.cancelled.is_set()
            or self.outbox.lost.is_set()
            or self.handed_back.is_set()
        )

    def emit(self, event: Event) -> None:
        """Send an event soon."""
        self._publisher.emit(self.outbox, event)

    def run(self, pool: ModelPool) -> Event | None:
        """Run the engine; the terminal event, or None when the job is no longer ours."""
        try:
            request = self._request()
            with pool.use(self.message.model, self._tell_progress, self.stopped) as model:
                self._started = time.monotonic()
                model.run(request, self.take)
            if not self.stopped():
                message = "The engine ended without saying that it was done."
                self._last = Failed(code="engine_ended_early", message=message, retryable=True)
        except LoadAborted:
            pass  # stopped while the model loaded
        except EngineError as error:
            self._fail(error)
        except Exception:  # the edge of the process: one job's failure must not take others with it
            logger.exception("job_crashed", job=self.message.job_id)
            self._last = self._last or Failed(code="internal_error", message=CRASHED, retryable=True)
        self._over = True
        if self.outbox.lost.is_set() or (self._last is None and self.handed_back.is_set()):
            return None
        return self._last or Cancelled()

    def take(self, chunk: Chunk | EngineError) -> None:
        """Turn the engine's next chunk into events. Engines call it from their own threads; it never raises."""
        if self.stopped() and not self._is_kept(chunk):
            return
        try:
            self._take(chunk)
        except EngineError as error:
            self._fail(error)
        except Exception:  # an engine's thread serves other jobs too
            logger.exception("chunk_failed", job=self.message.job_id)
            self._last = Failed(code="internal_error", message=CRASHED, retryable=True)

    def _is_kept(self, chunk: Chunk | EngineError) -> bool:
        """Whether this is the file of what was made before a person stopped the job."""
        is_over = self._over or self._last is not None
        is_elsewhere = self.outbox.lost.is_set() or self.handed_back.is_set()
        return isinstance(chunk, FileChunk) and not is_over and not is_elsewhere

    def _take(self, chunk: Chunk | EngineError) -> None:
        if self._first_chunk_s is None:
            self._first_chunk_s = time.monotonic() - self._started
        match chunk:
            case TextChunk():
                self._let_out(self._text_filter.feed(chunk))
            case DoneChunk():
                self._let_out(self._text_filter.flush())
                self._last = self._last or self._finished(chunk)
            case EngineError():
                self._fail(chunk)
            case RestartChunk():
                self._text_filter = filter_for_job()
                self.emit(Retry(attempt=self.message.attempt, origin="start"))
            case _:
                self.emit(self._event_of(chunk))

    def _let_out(self, passed: Iterator[TextChunk | Refusal]) -> None:
        """Emit what the text filter lets out; its refusal is the end."""
        for item in passed:
            if isinstance(item, Refusal):
                self._last = Blocked(rule=item.rule)
                return
            self.emit(Delta(text=item.text or None, reasoning=item.reasoning or None))

    def _finished(self, chunk: DoneChunk) -> Finished:
        self.tokens = int(chunk.usage.get("completion_tokens", 0))
        timing = {
            "first_chunk_s": round(self._first_chunk_s or 0.0, 3),
            "run_s": round(time.monotonic() - self._started, 3),
        }
        return Finished({**chunk.usage, **timing}, chunk.finish_reason, chunk.confidence)

    def _fail(self, error: EngineError) -> None:
        self._last = self._last or Failed(code=error.code, message=error.message, retryable=error.retryable)

    def _event_of(self, chunk: StepChunk | PreviewChunk | SpeechChunk | FileChunk) -> Event:
        """The event of a chunk; bytes are in Redis before their event is made."""
        match chunk:
            case StepChunk():
                return Progress(step=chunk.step, steps=chunk.steps, unit=chunk.unit)
            case PreviewChunk():
                picture = base64.b64encode(chunk.jpeg).decode()
                return Preview(image=f"data:image/jpeg;base64,{picture}", index=chunk.index)
            case SpeechChunk():
                id_, url = self._keep(chunk.wav)
                words = list(chunk.words) or None
                return Audio(id_, url, chunk.index, chunk.text, chunk.duration_s, words)
            case FileChunk():
                id_, url = self._keep(chunk.data)
                return Artifact(id=id_, url=url, media_type=chunk.media_type, **chunk.about)

    def _keep(self, data: bytes) -> tuple[str, str]:
        """Put a file where the web side finds it; its id and address."""
        if len(data) > MAX_FILE_BYTES:
            size, limit = len(data) / 1024**2, MAX_FILE_BYTES // 1024**2
            message = f"The result has {size:.0f} MB, more than the {limit} MB that one file may have. Make it smaller."
            raise EngineError("file_too_large", message)
        id_ = uuid.uuid4().hex
        for trial in stamina.retry_context(on=RedisError, attempts=None, timeout=REDIS_BACK_WITHIN_S):
            with trial:
                self._log.put_bytes(self.message.job_id, id_, data, self._artifact_ttl_s)
        return id_, artifact_url(self.message.job_id, id_)

    def _tell_progress(self, progress: Progress) -> None:
        if not self.stopped():
            self.emit(progress)

    # --- what the engine is given

    def _request(self) -> Request:
        attachments = {name: self._attachment(name, id_) for name, id_ in self.message.attachments.items()}
        resume = self._resume() if self.message.attempt > 1 else Resume()
        return Request(self.message.typed_params(), self.stopped, resume, attachments)

    def _attachment(self, name: str, id_: str) -> bytes:
        data = self._log.get_bytes(self.message.job_id, id_)
        if data is None:
            message = f"The {name} of this job is no longer there; send it again."
            raise EngineError("attachment_gone", message, retryable=True)
        return data

    def _resume(self) -> Resume:
        """What the reader has already; speech whose bytes have expired starts again, and the stream says so."""
        so_far = fold(entry.event for entry in self._log.read(self.message.job_id))
        sentences: list[SpokenSentence] = []
        for audio in so_far.audio:
            wav = self._log.get_bytes(self.message.job_id, audio.id)
            if wav is None:
                self.emit(Retry(attempt=self.message.attempt, origin="start"))
                return Resume()
            sentences.append(SpokenSentence(audio.index, audio.text, wav))
        return Resume(so_far.text, so_far.reasoning, tuple(sentences))
