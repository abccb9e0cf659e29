"""What the cpu worker does for speeches."""

from __future__ import annotations

import structlog
from celery import shared_task
from django.db import OperationalError
from redis.exceptions import RedisError

from apps.voice import services

logger = structlog.get_logger(__name__)


@shared_task(name="voice.erase_deleted")
def erase_deleted() -> None:
    """Every minute, by beat."""
    try:
        services.erase_deleted()
    except (OperationalError, RedisError) as error:
        logger.warning("not_erased_yet", error=str(error))  # the next one comes soon
