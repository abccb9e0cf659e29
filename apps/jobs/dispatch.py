"""The courier: job messages to the workers' queues, and what lies in those queues now."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, cast

from celery import current_app

from apps.jobs.connection import redis_client
from gpu_workers.contract.job_log import WORKERS_KEY, worker_key
from gpu_workers.contract.messages import (
    GENERATE_TASK,
    LOAD_TASK,
    LOOK_TASK,
    MEDIA,
    PRIORITIES,
    Generate,
    ModelSpec,
)

__all__ = [
    "LOOK_TASK",
    "MEDIA",
    "changed_places",
    "queue_length",
    "read_workers",
    "send_job",
    "send_load",
    "waiting_tasks",
]


def task_id(job_id: str, attempt: int) -> str:
    """The message's own id, by which the sweep finds it in the queue."""
    return f"{job_id}.{attempt}"


def send_job(
    *,
    job_id: str,
    attempt: int,
    kind: str,
    spec: Mapping[str, Any],
    params: Mapping[str, Any],
    attachments: Mapping[str, str],
    priority: int,
) -> None:
    """Send "look at this job" to its medium's queue. Raises kombu's OperationalError when the broker is away."""
    message = Generate(
        job_id=job_id,
        attempt=attempt,
        medium=kind,  # type: ignore[arg-type]  # submit_job admits registered kinds only, and those are the media
        model=ModelSpec(**spec),
        params=params,
        attachments=attachments,
    )
    current_app.send_task(
        GENERATE_TASK,
        args=[message.as_json()],
        queue=kind,
        priority=priority,
        task_id=task_id(job_id, attempt),
        retry=False,
        ignore_result=True,
    )


def send_load(spec: Mapping[str, Any]) -> None:
    """Ask a worker of the model's medium to download and load it."""
    current_app.send_task(LOAD_TASK, args=[dict(spec)], queue=spec["medium"], retry=False, ignore_result=True)


def _queue_keys(medium: str) -> list[str]:
    # kombu's layout: one list for each priority, the default one bare (kombu.transport.redis.Channel._q_for_pri).
    return [medium if priority == 0 else f"{medium}\x06\x16{priority}" for priority in PRIORITIES]


def waiting_tasks(medium: str) -> set[str]:
    """The task ids of all messages that wait in a medium's queue."""
    pipe = redis_client().pipeline(transaction=False)
    for key in _queue_keys(medium):
        pipe.lrange(key, 0, -1)
    return {json.loads(raw)["headers"]["id"] for messages in pipe.execute() for raw in messages}


def queue_length(medium: str) -> int:
    """How many messages wait for a worker of the medium."""
    pipe = redis_client().pipeline(transaction=False)
    for key in _queue_keys(medium):
        pipe.llen(key)
    return sum(pipe.execute())


def read_workers() -> Iterable[dict[str, Any]]:
    """The heartbeats of the workers that live; names of dead ones are cleared away."""
    redis = redis_client()
    names = sorted(name.decode() for name in cast(set[bytes], redis.smembers(WORKERS_KEY)))
    if not names:
        return []
    raw = redis.mget([worker_key(name) for name in names])
    if dead := [name for name, text in zip(names, raw, strict=True) if text is None]:
        redis.srem(WORKERS_KEY, *dead)
    return [json.loads(text) for text in raw if text is not None]


def changed_places(kind: str, positions: Mapping[str, int]) -> set[str]:
    """The jobs whose position differs from what was noted here the last time, which this call replaces."""
    key = f"aigc:places:{kind}"
    pipe = redis_client().pipeline()
    pipe.hgetall(key)
    pipe.delete(key)
    if positions:
        pipe.hset(key, mapping={job_id: str(position) for job_id, position in positions.items()})
        pipe.expire(key, 600)
    told = {job_id.decode(): int(position) for job_id, position in pipe.execute()[0].items()}
    return {job_id for job_id, position in positions.items() if told.get(job_id) != position}
