"""Reading jobs, always for somebody: what an actor may not see does not exist."""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, NotRequired, TypedDict

from django.db.models import Avg, F, Q, QuerySet
from redis.exceptions import RedisError

from aigc.lib.errors import AppError, ErrorCode
from aigc.lib.in_pool import in_pool
from apps.accounts.actors import Actor
from apps.accounts.roles import Permission
from apps.jobs.dispatch import read_workers
from apps.jobs.events import BEGINNING, TERMINAL_TYPES, EventId, Retry, events_of_result, fold, result_of
from apps.jobs.models import Job, Upload
from apps.jobs.states import UNFINISHED, Status
from apps.jobs.stream import LogEntry, follow_log, job_log

MEASURED_JOBS = 20


class JobView(TypedDict):
    """A job as every transport shows it; times are ISO 8601."""

    id: str
    kind: str
    status: str
    attempt: int
    model: str
    tier: str
    position: NotRequired[int]
    eta_s: NotRequired[float | None]
    created_at: str
    started_at: str | None
    finished_at: str | None
    input: dict[str, Any]
    result: NotRequired[dict[str, Any]]
    error: NotRequired[dict[str, Any]]


class Place(NamedTuple):
    """Where a job is in line: 1 is next; `eta_s` until it starts, None while nothing was measured."""

    position: int
    eta_s: float | None


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """A live gpu worker, as its last heartbeat said."""

    name: str
    media: list[str]
    slots: int
    busy: int
    draining: bool
    memory_bytes: int
    models: list[dict[str, Any]] = field(default_factory=list)
    gpus: list[dict[str, Any]] = field(default_factory=list)
    counters: dict[str, float] = field(default_factory=dict)


def live_workers() -> list[WorkerStatus]:
    """The gpu workers that live."""
    known = WorkerStatus.__dataclass_fields__
    return [
        WorkerStatus(**{name: value for name, value in beat.items() if name in known})
        for beat in read_workers()
    ]


def visible_jobs(actor: Actor) -> QuerySet[Job]:
    """The jobs that the actor may read."""
    jobs = Job.objects.filter(workspace_id=actor.workspace_id)
    return jobs if actor.can(Permission.READ_ALL_JOBS) else jobs.filter(owner_id=actor.user_id)


def get_job_for(actor: Actor, job_id: str | uuid.UUID) -> Job:
    """The job. Raises AppError `not_found`, the same for a job of somebody else as for none."""
    job = visible_jobs(actor).filter(pk=parse_id(job_id)).first()
    if job is None:
        raise AppError(ErrorCode.NOT_FOUND, f"There is no job {str(job_id)[:50]}.")
    return job


def get_ended_job(job_id: str) -> Job:
    """The job that has just ended, for what its kind does with it; in nobody's name, since nobody asks."""
    return Job.objects.prefetch_related("artifacts").get(pk=job_id)


def list_jobs_for(actor: Actor, *, kind: str = "", statuses: list[str] | None = None) -> QuerySet[Job]:
    """The jobs that the actor has asked for, newest first."""
    jobs = visible_jobs(actor).filter(owner_id=actor.user_id, purpose="")
    if kind:
        jobs = jobs.filter(kind=kind)
    if statuses:
        jobs = jobs.filter(status__in=statuses)
    return jobs.order_by("-created_at")


def own_uploads(actor: Actor) -> QuerySet[Upload]:
    """What the actor has uploaded."""
    return Upload.objects.filter(workspace_id=actor.workspace_id, owner_id=actor.user_id)


def own_upload_ids(actor: Actor, upload_ids: Iterable[str]) -> set[str]:
    """Those of the ids that are uploads of the actor."""
    found = own_uploads(actor).filter(pk__in=[parse_id(upload_id) for upload_id in upload_ids])
    return {str(upload_id) for upload_id in found.values_list("pk", flat=True)}


def get_upload_for(actor: Actor, upload_id: str) -> Upload:
    """The upload. Raises AppError `not_found`."""
    upload = own_uploads(actor).filter(pk=parse_id(upload_id)).first()
    if upload is None:
        raise AppError(ErrorCode.NOT_FOUND, f"There is no upload {upload_id[:50]}.")
    return upload


def parse_id(text: str | uuid.UUID) -> uuid.UUID:
    """The id; what is none is simply not found."""
    try:
        return text if isinstance(text, uuid.UUID) else uuid.UUID(text)
    except ValueError:
        return uuid.UUID(int=0)


def place_of(job: Job) -> Place:
    """Where a queued job is in its medium's line."""
    before = Q(priority__lt=job.priority) | Q(priority=job.priority, created_at__lt=job.created_at)
    ahead = Job.objects.filter(before, kind=job.kind, status=Status.QUEUED).exclude(pk=job.pk).count()
    return Line.measure(job.kind).place(ahead + 1)


LINE_KNOWN_S = (
    1.0  # heartbeats come every two seconds: asking for each of a burst of submits tells nothing new
)
_lines: dict[str, tuple[float, Line]] = {}


@dataclass(frozen=True, slots=True)
class Line:
    """What a medium's line moves by: free and all slots of its workers, and the measured seconds of a job."""

    slots: int
    free: int
    mean_s: float | None

    @classmethod
    def measure(cls, kind: str) -> Line:
        """From the workers' heartbeats and the last finished jobs; as it was up to a second ago."""
        now = time.monotonic()
        known = _lines.get(kind)
        if known is None or now - known[0] > LINE_KNOWN_S:
            known = _lines[kind] = (now, cls._measure(kind))
        return known[1]

    @classmethod
    def _measure(cls, kind: str) -> Line:
        try:
            workers = [worker for worker in live_workers() if kind in worker.media and not worker.draining]
        except RedisError:
            workers = []
        slots = sum(worker.slots for worker in workers)
        busy = sum(worker.busy for worker in workers)
        last = Job.objects.filter(kind=kind, status=Status.SUCCEEDED, started_at__isnull=False).order_by(
            "-finished_at"
        )
        mean = last[:MEASURED_JOBS].aggregate(mean=Avg(F("finished_at") - F("started_at")))["mean"]
        return cls(slots, max(0, slots - busy), mean.total_seconds() if mean else None)

    def place(self, position: int) -> Place:
        """The expected wait of the job at this position."""
        if position <= self.free:
            return Place(position, 0.0)
        if not self.slots or self.mean_s is None:
            return Place(position, None)
        rounds = math.ceil((position - self.free) / self.slots)
        return Place(position, round(rounds * self.mean_s, 1))


def view_job(job: Job, *, live: bool = False) -> JobView:
    """The job as JSON. With `live`, an unfinished job shows what its stream holds so far, and its place in line."""
    view = JobView(
        id=str(job.pk),
        kind=job.kind,
        status=job.status,
        attempt=job.attempt,
        model=job.model,
        tier=job.tier,
        created_at=job.created_at.isoformat(),
        started_at=_iso(job.started_at),
        finished_at=_iso(job.finished_at),
        input=job.input,
    )
    result, error = job.result, job.error
    if live and job.status in UNFINISHED:
        snapshot = _snapshot(job)
        if snapshot is not None:
            view["status"], view["attempt"] = snapshot.status, snapshot.attempt
            result, error = result_of(job.kind, snapshot), snapshot.error
        if view["status"] == Status.QUEUED:
            view["position"], view["eta_s"] = place_of(job)
    if result is not None:
        view["result"] = result
    if error is not None:
        view["error"] = error
    return view


async def follow(job: Job, after: EventId = BEGINNING) -> AsyncIterator[list[LogEntry]]:
    """Batches of the job's events after an id, to the terminal one. The caller has checked that it may be read.

    After the stream has expired the stored result answers, as the shortest stream that folds to it.
    """
    last = after
    async for batch in follow_log(str(job.pk), after):
        if batch:
            last = batch[-1].id
            yield batch
            continue
        stored = await in_pool(_stored_entries)(job.pk, last)
        if stored is not None:
            if stored:
                yield stored
            return


def _stored_entries(job_id: uuid.UUID, last: EventId) -> list[LogEntry] | None:
    """What a reader that has everything up to `last` still needs of a finished job; None while the job goes on."""
    job = Job.objects.filter(pk=job_id).first()
    if job is None:
        return []
    if not job.is_finished:
        return None
    log = _log_entries(job)
    if log and log[-1].type in TERMINAL_TYPES:
        if last == log[-1].id:
            return []  # the reader has seen the end
        if last < log[-1].id:
            return [entry for entry in log if entry.id > last]
    events = events_of_result(
        status=job.status, attempt=job.attempt, model=job.model, result=job.result, error=job.error
    )
    if last != BEGINNING:
        events.insert(0, Retry(attempt=job.attempt, origin="start"))
    return [
        LogEntry(EventId(job.attempt, number), event.type, event.dumps())
        for number, event in enumerate(events, 1)
    ]


def _log_entries(job: Job) -> list[LogEntry]:
    try:
        return job_log().read(str(job.pk))
    except RedisError:
        return []


def _snapshot(job: Job) -> Any:
    entries = _log_entries(job)
    return fold(entry.event for entry in entries) if entries else None


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
