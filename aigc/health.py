"""Whether the product lives and whether it can do its work."""

from __future__ import annotations

from functools import cache

import redis
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from aigc.lib.errors import AppError, ErrorCode
from aigc.lib.redis_client import redis_client
from apps.catalog.models import Medium
from apps.jobs.selectors import live_workers


async def healthz(request: HttpRequest) -> JsonResponse:
    """The process answers; asks nobody else, so that a broken database does not get a web process killed."""
    del request
    return JsonResponse({"status": "alive"})


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when jobs of every medium can run; else 503 with the names of what is missing."""
    del request
    missing = [*missing_in_database(), *missing_around_redis()]
    if missing:
        error = AppError(ErrorCode.UNAVAILABLE, f"Not ready: {', '.join(missing)}.", retry_after_s=2)
        return JsonResponse(
            {**error.as_json(), "missing": missing}, status=error.status, headers=error.headers
        )
    return JsonResponse({"status": "ready", "missing": []})


def missing_in_database() -> list[str]:
    """`database` or `migrations`, when that is what is wrong."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        _check_migrated()
    except DatabaseError:
        return ["database"]
    except Unmigrated:
        return ["migrations"]
    return []


def missing_around_redis() -> list[str]:
    """`redis`, or the media that no live worker serves."""
    try:
        redis_client().ping()
        served = {medium for worker in live_workers() if not worker.draining for medium in worker.media}
    except redis.RedisError:
        return ["redis"]
    return [f"workers.{medium}" for medium in Medium.values if medium not in served]


class Unmigrated(Exception):
    """The database lacks migrations that this code has."""


@cache
def _check_migrated() -> None:
    """Raises Unmigrated. Reading all migrations takes a tenth of a second, so a good answer is kept."""
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise Unmigrated
