"""The one road for writes: submit, stop, and bring every job to exactly one end.

The row is the truth about a job, its log in Redis the truth about what a worker has said. Whatever is lost on the way
(a message, a worker, Redis itself), `reconcile` finds the difference between the two and mends it; it is safe to call
at any time, by anybody, any number of times.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models.functions import Coalesce
from django.utils import timezone
from kombu.exceptions import OperationalError
from pydantic import ValidationError
from redis.exceptions import RedisError

from aigc.lib.errors import AppError, ErrorCode
from aigc.lib.write_transaction import write_transaction
from apps.accounts.actors import Actor
from apps.accounts.roles import Permission
from apps.audit.models import Action
from apps.audit.services import record
from apps.catalog.selectors import get_model_spec
from apps.jobs import files, metrics
from apps.jobs.dispatch import changed_places, queue_length, send_job, waiting_tasks
from apps.jobs.dispatch import task_id as message_id
from apps.jobs.events import Cancelled, Failed, Queued, Retry, Snapshot, fold, result_of
from apps.jobs.kinds import JobInput, get_kind, kind_names
from apps.jobs.models import Artifact, Attachment, Job, Upload
from apps.jobs.policy import priority_for
from apps.jobs.selectors import Line, get_job_for, own_uploads, parse_id, place_of
from apps.jobs.states import MAX_ATTEMPTS, TERMINAL, UNFINISHED, Status, Tier
from apps.jobs.stream import JobState, job_log

logger = structlog.get_logger(__name__)

# A message that nobody claimed after this long is looked for in the queue, and sent again if it is not there.
LOST_MESSAGE_AFTER = timedelta(seconds=5)
SWEEP_PAGE = 500
# A person may leave a form with a picture in it and come back the next day.
UNUSED_UPLOADS_KEPT = timedelta(days=2)
LOST_MESSAGE = "The worker that ran this job was lost {attempts} times, so it was given up."


def submit_job(
    *,
    actor: Actor,
    kind: str,
    params: Mapping[str, Any],
    model: str | None = None,
    tier: Tier = Tier.INTERACTIVE,
    purpose: str = "",
    idempotency_key: str = "",
    also: Callable[[Job], object] = lambda _: None,
) -> Job:
    """Check, store and queue one generation; a repeated key returns the first job.

    A job with a `purpose` is the product's own and in nobody's list. `also` writes what belongs to a new job, in
    the transaction that stores it. Raises AppError: `bad_request` with the field, `not_found` with the field of an
    upload, `forbidden`, `model_not_found`, `conflict` for a key that was used for something else, `rate_limited` when
    the owner has AIGC_MAX_UNFINISHED_JOBS already.
    """
    actor.check(Permission.SUBMIT_JOBS)
    job_input = _check_input(kind, params)
    spec = get_model_spec(model, kind)
    job_input.check_model(spec)
    digest = _digest(kind, spec["id"], job_input)
    if first := _first_with_key(actor, idempotency_key, digest):
        return first
    unfinished = Job.objects.filter(owner_id=actor.user_id, status__in=UNFINISHED).count()
    if unfinished >= settings.AIGC_MAX_UNFINISHED_JOBS:
        message = f"You have {unfinished} unfinished jobs, the most that a user may have; wait for some or stop some."
        raise AppError(
            ErrorCode.RATE_LIMITED, message, retry_after_s=10, limit=settings.AIGC_MAX_UNFINISHED_JOBS
        )
    job = Job(
        workspace_id=actor.workspace_id,
        owner_id=actor.user_id,
        kind=kind,
        input=job_input.model_dump(mode="json", exclude_none=True),
        model=spec["id"],
        spec=spec,
        tier=tier,
        purpose=purpose,
        priority=priority_for(tier, unfinished),
        idempotency_key=idempotency_key,
        input_digest=digest,
        sent_at=timezone.now(),
    )
    try:
        with write_transaction():
            job.save(force_insert=True)
            _attach(actor, job, job_input.uploads(job.input))
            _audit(actor, Action.JOB_SUBMITTED, job)
            also(job)
    except IntegrityError:
        if first := _first_with_key(actor, idempotency_key, digest):
            return first
        raise
    transaction.on_commit(lambda: _send_and_announce(job))
    return job


def _attach(actor: Actor, job: Job, uploads: Mapping[str, str]) -> None:
    for name, upload_id in uploads.items():
        # Locked: it must not be erased as unused at this moment.
        upload = own_uploads(actor).select_for_update().filter(pk=parse_id(upload_id)).first()
        if upload is None:
            message = f"{name}: there is no upload {upload_id}, or no longer; upload it again."
            raise AppError(ErrorCode.NOT_FOUND, message, field=f"input.{name}")
        Attachment.objects.create(job=job, upload=upload, name=name)


def cancel_job(*, actor: Actor, job_id: str | uuid.UUID) -> Job:
    """Stop a job: one that waits never starts, one that runs stops at its next step. A finished one stays as it is."""
    job = get_job_for(actor, job_id)
    actor.check(Permission.CANCEL_OWN_JOBS if job.owner_id == actor.user_id else Permission.CANCEL_ALL_JOBS)
    if job.is_finished:
        return job
    _audit(actor, Action.JOB_CANCELLED, job)
    try:
        outcome = job_log().cancel(str(job.pk), job.attempt, Cancelled())
    except RedisError as error:
        message = (
            "The job cannot be stopped at the moment, since Redis does not answer; try again in some seconds."
        )
        raise AppError(ErrorCode.UNAVAILABLE, message, retry_after_s=5) from error
    if outcome.answer != "running":
        settle(job.pk)
        job.refresh_from_db()
    return job


def erase_jobs(job_ids: Iterable[uuid.UUID]) -> bool:
    """Delete finished jobs with events and files; False, and nothing is deleted, while one of them still runs.

    For jobs that ended minutes ago: what is live now is left to those who read it.
    """
    jobs = Job.objects.filter(pk__in=list(job_ids))
    if jobs.filter(status__in=UNFINISHED).exists():
        return False
    artifacts = list(Artifact.objects.filter(job__in=jobs))
    uploads = list(Upload.objects.filter(attachments__job__in=jobs).distinct())
    _forget([job.pk for job in jobs], artifacts)
    jobs.delete()
    unused = Upload.objects.filter(pk__in=[upload.pk for upload in uploads], attachments=None)
    gone: list[Artifact | Upload] = [*artifacts, *unused]
    unused.delete()
    transaction.on_commit(lambda: files.erase_stored(gone))
    return True


def erase_unused_uploads() -> None:
    """Erase what was uploaded for a job that never came."""
    unused = Upload.objects.filter(attachments=None, created_at__lt=timezone.now() - UNUSED_UPLOADS_KEPT)
    with write_transaction():
        gone = list(unused.select_for_update(of=("self",), skip_locked=True)[:SWEEP_PAGE])
        Upload.objects.filter(pk__in=[upload.pk for upload in gone]).delete()
    files.erase_stored(gone)


def erase_artifacts(artifact_ids: Iterable[uuid.UUID]) -> None:
    """Delete some files of finished jobs: no row, no result, no event and no storage has them afterwards."""
    artifacts = list(Artifact.objects.filter(pk__in=list(artifact_ids)).select_related("job"))
    gone = {artifact.pk for artifact in artifacts}
    jobs = {artifact.job_id: artifact.job for artifact in artifacts}
    for job in jobs.values():
        made = (job.result or {}).get("artifacts", [])
        left = [artifact for artifact in made if uuid.UUID(artifact["id"]) not in gone]
        Job.objects.filter(pk=job.pk).update(result={**(job.result or {}), "artifacts": left})
    _forget(jobs, artifacts)
    Artifact.objects.filter(pk__in=gone).delete()
    transaction.on_commit(lambda: files.erase_stored(artifacts))


def _forget(job_ids: Iterable[uuid.UUID], artifacts: Iterable[Artifact]) -> None:
    """Leave Redis nothing of these finished jobs: readers get what their rows say from now on."""
    for artifact in artifacts:
        job_log().drop_bytes(str(artifact.job_id), [artifact.pk.hex])
    for job_id in job_ids:
        job_log().erase(str(job_id))
    job_log().trim_live()


def look(job_ids: Iterable[str]) -> None:
    """Have the rows follow what the workers did: they have claimed these jobs, or ended them."""
    _reconcile_page(list(Job.objects.filter(pk__in=list(job_ids), status__in=UNFINISHED)), Waiting())


def settle(job_id: str | uuid.UUID) -> bool:
    """Take the end of a job from its log into the row, exactly once; False when the log has no end."""
    job = Job.objects.filter(pk=job_id, status__in=UNFINISHED).first()
    return job is not None and _settle(job)


def _settle(job: Job) -> bool:
    snapshot = fold(entry.event for entry in job_log().read(str(job.pk)))
    if snapshot.status not in TERMINAL:
        return False
    try:
        made = [files.read_made(job, artifact) for artifact in snapshot.artifacts]
    except files.FileGone as error:
        made, snapshot = [], _gone(snapshot, error)
    with write_transaction():
        moved = Job.objects.filter(pk=job.pk, status__in=UNFINISHED).update(
            status=snapshot.status,
            attempt=snapshot.attempt,
            result=result_of(job.kind, snapshot),
            error=snapshot.error,
            started_at=job.started_at or (timezone.now() if snapshot.model else None),
            finished_at=timezone.now(),
        )
        if not moved:
            return True
        files.store_made(made)
        kind = get_kind(job.kind)
        if kind is not None and kind.on_finished is not None:
            kind.on_finished(str(job.pk))
    transaction.on_commit(lambda: _after_end(job, snapshot))
    return True


def sweep() -> None:
    """Compare every unfinished row with Redis and mend what differs; called every few seconds."""
    waiting = Waiting()
    page: list[Job] = []
    for job in Job.objects.filter(status__in=UNFINISHED).order_by("created_at").iterator(SWEEP_PAGE):
        page.append(job)
        if len(page) == SWEEP_PAGE:
            _reconcile_page(page, waiting)
            page = []
    _reconcile_page(page, waiting)


def announce_places() -> None:
    """Tell the jobs in line where they stand, where that has changed noticeably since they were told."""
    kinds = Job.objects.filter(status=Status.QUEUED).values_list("kind", flat=True).order_by().distinct()
    for kind in kinds:
        line = Line.measure(kind)
        queued = Job.objects.filter(kind=kind, status=Status.QUEUED).order_by("priority", "created_at")
        rows = queued.values_list("pk", "attempt")[: settings.AIGC_ANNOUNCED_PLACES]
        places = {str(job_id): line.place(position) for position, (job_id, _) in enumerate(rows, 1)}
        changed = changed_places(kind, {job_id: place.position for job_id, place in places.items()})
        for job_id, attempt in rows:
            if str(job_id) in changed:
                place = places[str(job_id)]
                job_log().note(str(job_id), attempt, Queued(position=place.position, eta_s=place.eta_s))


class Waiting:
    """The messages in the queues, read once a sweep and only when a job asks."""

    def __init__(self) -> None:
        self._ids: dict[str, set[str]] = {}

    def has(self, job: Job) -> bool:
        """Whether a message for this attempt of the job waits."""
        if job.kind not in self._ids:
            self._ids[job.kind] = waiting_tasks(job.kind)
        return message_id(str(job.pk), job.attempt) in self._ids[job.kind]


def _reconcile_page(jobs: list[Job], waiting: Waiting) -> None:
    if not jobs:
        return
    for job, state in zip(jobs, job_log().states([str(job.pk) for job in jobs]), strict=True):
        try:
            reconcile(job, state, waiting)
        except (AppError, IntegrityError, OperationalError) as error:
            logger.warning("job_not_reconciled", job=str(job.pk), error=str(error))


def reconcile(job: Job, state: JobState | None, waiting: Waiting) -> None:
    """Mend the difference between an unfinished row and what Redis says of the job."""
    if state is None:  # Redis lost it, or was never told
        if job.status == Status.RUNNING:
            _next_attempt(job, from_start=True)
        else:
            _send_if_lost(job, waiting)
    elif state.ended:
        _settle(job)
    elif state.leased:
        if job.status == Status.QUEUED or job.attempt != state.attempt:
            _mark_running(job.pk, state.attempt)
    elif state.claimed:
        job.attempt = state.attempt
        _next_attempt(job, from_start=job.kind == "image")
    else:
        if job.attempt != state.attempt or job.status != Status.QUEUED:
            _mark_queued(job, state.attempt)
        _send_if_lost(job, waiting)


def _next_attempt(job: Job, *, from_start: bool) -> None:
    """The lease is gone without an end: the job runs again, or is given up after the last attempt."""
    job_id, lost = str(job.pk), job.attempt
    metrics.count("leases_taken_back")
    if lost >= MAX_ATTEMPTS:
        message = LOST_MESSAGE.format(attempts=lost)
        answer = (
            job_log()
            .advance(job_id, lost, Failed(code="worker_lost", message=message, retryable=True))
            .answer
        )
    else:
        answer = job_log().advance(job_id, lost, Retry(lost + 1, "start" if from_start else "here")).answer
    logger.info("lease_taken_back", job=job_id, attempt=lost, answer=answer)
    if answer == "cancel":  # a person stopped it; its worker was lost before it could
        job_log().cancel(job_id, lost, Cancelled())
        settle(job.pk)
    elif answer == "ok" and lost < MAX_ATTEMPTS:
        _mark_queued(job, lost + 1)
        _send_again(job)
    elif answer in ("ok", "ended"):
        settle(job.pk)


def _send_if_lost(job: Job, waiting: Waiting) -> None:
    if job.sent_at is None or (job.sent_at < timezone.now() - LOST_MESSAGE_AFTER and not waiting.has(job)):
        logger.info("message_lost", job=str(job.pk), attempt=job.attempt)
        _send_again(job)


def _send_and_announce(job: Job) -> None:
    """After the commit: what fails here is mended by the sweep, so the caller has its job in any case.

    The message goes first: where a worker is free the job starts at once, and there is no place to tell.
    """
    _send(job)
    try:
        if queue_length(job.kind) <= 1:
            return  # nobody is in line but this job, and even it may be gone from there by now
        place = place_of(job)
        job_log().note(str(job.pk), job.attempt, Queued(position=place.position, eta_s=place.eta_s))
    except RedisError as error:
        logger.warning("place_untold", job=str(job.pk), error=str(error))


def _send_again(job: Job) -> None:
    Job.objects.filter(pk=job.pk, status__in=UNFINISHED).update(sent_at=timezone.now())
    _send(job)


def _send(job: Job) -> None:
    try:
        send_job(
            job_id=str(job.pk),
            attempt=job.attempt,
            kind=job.kind,
            spec=job.spec,
            params=job.input,
            attachments=files.hand_over_attachments(job),
            priority=job.priority,
        )
    except (RedisError, OperationalError) as error:
        logger.warning("message_unsent", job=str(job.pk), error=str(error))


def _mark_running(job_id: uuid.UUID, attempt: int) -> None:
    Job.objects.filter(pk=job_id, status__in=UNFINISHED, attempt__lte=attempt).update(
        status=Status.RUNNING, attempt=attempt, started_at=Coalesce("started_at", timezone.now())
    )


def _mark_queued(job: Job, attempt: int) -> None:
    Job.objects.filter(pk=job.pk, status__in=UNFINISHED, attempt__lte=attempt).update(
        status=Status.QUEUED, attempt=attempt
    )
    job.status, job.attempt = Status.QUEUED, attempt


def _after_end(job: Job, snapshot: Snapshot) -> None:
    try:
        job_log().drop_bytes(str(job.pk), [artifact.id for artifact in snapshot.artifacts])
        metrics.observe_end(job.kind, snapshot.status, snapshot.usage)
    except RedisError as error:
        logger.warning("bytes_left_to_expire", job=str(job.pk), error=str(error))
    kind = get_kind(job.kind)
    if kind is not None and kind.after_finished is not None:
        kind.after_finished(str(job.pk))


def _gone(snapshot: Snapshot, error: files.FileGone) -> Snapshot:
    """The end was said but a file is no longer there: the job failed, and says why."""
    reason = {"code": "result_lost", "message": str(error), "retryable": True}
    return Snapshot(status=Status.FAILED, attempt=snapshot.attempt, model=snapshot.model, error=reason)


def _audit(actor: Actor, action: Action, job: Job) -> None:
    record(
        action,
        workspace_id=actor.workspace_id,
        actor_id=actor.user_id,
        target_type="job",
        target_id=job.pk,
        data={"kind": job.kind, "model": job.model, "via": actor.via},
    )


def _check_input(kind: str, params: Mapping[str, Any]) -> JobInput:
    known = get_kind(kind)
    if known is None:
        message = f"kind: {kind[:50]!r} is not one of {', '.join(kind_names())}."
        raise AppError(ErrorCode.BAD_REQUEST, message, field="kind")
    try:
        return known.input.model_validate(params)
    except ValidationError as error:
        raise input_error(error) from error


def input_error(error: ValidationError, prefix: str = "input") -> AppError:
    """Every fault by its dotted field; the first one is the sentence."""
    faults: dict[str, str] = {}
    for fault in error.errors(include_url=False, include_context=False, include_input=False):
        field = ".".join(filter(None, (prefix, *(str(part) for part in fault["loc"])))) or "body"
        faults.setdefault(field, fault["msg"])
    field, message = next(iter(faults.items()))
    more: dict[str, Any] = {"fields": faults} if len(faults) > 1 else {}
    return AppError(ErrorCode.BAD_REQUEST, f"{field}: {message}", field=field, **more)


def _first_with_key(actor: Actor, key: str, digest: str) -> Job | None:
    if not key:
        return None
    first = Job.objects.filter(
        workspace_id=actor.workspace_id, owner_id=actor.user_id, idempotency_key=key
    ).first()
    if first is not None and first.input_digest != digest:
        message = (
            f"Idempotency-Key {key[:50]!r} was used for another request; use a new key for a new request."
        )
        raise AppError(ErrorCode.CONFLICT, message, field="Idempotency-Key", job=str(first.pk))
    return first


def _digest(kind: str, model: str, job_input: JobInput) -> str:
    text = json.dumps([kind, model, job_input.model_dump(mode="json")], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
