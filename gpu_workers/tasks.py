"""The tasks that a worker takes from the broker: each only says "look at this"."""

from __future__ import annotations

from typing import Any

import structlog
from celery import Celery

from gpu_workers.contract.messages import GENERATE_TASK, LOAD_TASK, Generate, ModelSpec, UnknownVersion
from gpu_workers.worker import Worker

logger = structlog.get_logger(__name__)

worker: Worker | None = None


def current_worker() -> Worker:
    """This process's worker."""
    if worker is None:
        raise RuntimeError("No worker was started in this process.")
    return worker


def generate(message: dict[str, Any]) -> None:
    """Run a job, if it is still ours to run."""
    try:
        parsed = Generate.from_json(message)
    except UnknownVersion as error:
        # The sweep sends the job again, once workers are up to date.
        logger.warning("message_refused", reason=str(error))
        return
    with structlog.contextvars.bound_contextvars(job=parsed.job_id, attempt=parsed.attempt):
        current_worker().run(parsed)


def load_model(spec: dict[str, Any]) -> None:
    """Download and load a model that was just enabled."""
    current_worker().preload(ModelSpec(**spec))


def register(app: Celery) -> None:
    """Give the app its tasks under their agreed names."""
    app.task(name=GENERATE_TASK)(generate)
    app.task(name=LOAD_TASK)(load_model)
