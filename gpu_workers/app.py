"""The workers' Celery app: `celery -A gpu_workers.app worker -P threads -Q chat,image,voice -c SLOTS`."""

from __future__ import annotations

import atexit
import os
import sys
from typing import Any

from celery import Celery
from celery.signals import worker_init, worker_ready, worker_shutdown, worker_shutting_down

from gpu_workers import tasks
from gpu_workers.config import Config
from gpu_workers.contract.messages import CPU_QUEUE, LOOK_TASK, MEDIA, PRIORITIES
from gpu_workers.worker import Worker

config = Config.from_env()
# No fixups: Celery would load Django wherever DJANGO_SETTINGS_MODULE is set, and `make run` sets it for all.
app = Celery("gpu_workers", broker=config.redis_url, fixups=[])
app.conf.update(
    accept_content=["json"],
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    worker_disable_prefetch=True,
    worker_hijack_root_logger=False,
    worker_enable_remote_control=False,
    worker_send_task_events=False,
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        "queue_order_strategy": "priority",
        "priority_steps": list(PRIORITIES),
        # Messages are acknowledged before they run, so this only covers those between Redis and a thread.
        "visibility_timeout": 600,
        "socket_timeout": None,
        "socket_keepalive": True,
    },
)
tasks.register(app)


@worker_init.connect
def prepare_worker(sender: Any, **_kwargs: Any) -> None:
    """Make this process's worker before the first message comes."""
    # What reads an upstream and what flushes are threads that wait for each other's turn, several times a token.
    sys.setswitchinterval(0.0005)
    media = [medium for medium in MEDIA if medium in app.amqp.queues.consume_from]
    tasks.worker = Worker(config, media=media, slots=sender.concurrency, send=send_to_cpu)


def send_to_cpu(job_ids: list[str]) -> None:
    """Ask the cpu worker to look at jobs."""
    app.send_task(LOOK_TASK, args=[job_ids], queue=CPU_QUEUE, retry=False)


@worker_ready.connect
def announce_worker(**_kwargs: Any) -> None:
    """The queues are being read: begin to say so."""
    tasks.current_worker().start()


@worker_shutting_down.connect
def drain_worker(**_kwargs: Any) -> None:
    """SIGTERM: no more messages are taken; jobs in hand get the grace period."""
    tasks.current_worker().drain()


@worker_shutdown.connect
def stop_worker(**_kwargs: Any) -> None:
    """The last job has ended or been handed back."""
    tasks.current_worker().close()
    # Taking the model libraries apart takes the interpreter seconds; the kernel frees the same at once.
    atexit.register(leave_at_once)


def leave_at_once() -> None:
    """End the process here. Registered last, so it runs before everybody else's farewells: all was said already."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
