"""What the cpu worker does for jobs: each task is one service call and may be sent any number of times."""

from __future__ import annotations

import structlog
from celery import shared_task
from django.db import IntegrityError, OperationalError
from redis.exceptions import RedisError

from apps.jobs import services
from apps.jobs.dispatch import LOOK_TASK

logger = structlog.get_logger(__name__)

PASSING = (OperationalError, RedisError)  # the sweep does what five tries could not


@shared_task(name=LOOK_TASK, autoretry_for=PASSING, retry_backoff=True, retry_jitter=True, max_retries=5)
def look(job_ids: list[str]) -> None:
    """A gpu worker has claimed these jobs, or written their last events."""
    services.look(job_ids)


@shared_task(name="jobs.sweep")
def sweep() -> None:
    """Every few seconds, by beat."""
    try:
        services.sweep()
    except PASSING as error:
        logger.warning("sweep_cut_short", error=str(error))  # the next one comes soon


@shared_task(name="jobs.announce_places")
def announce_places() -> None:
    """Every few seconds, by beat."""
    try:
        services.announce_places()
    except PASSING as error:
        logger.warning("places_untold", error=str(error))


@shared_task(name="jobs.erase_unused_uploads")
def erase_unused_uploads() -> None:
    """Every minute, by beat."""
    try:
        services.erase_unused_uploads()
    except (*PASSING, IntegrityError) as error:  # one was used at this moment
        logger.warning("not_erased_yet", error=str(error))
