"""How this side talks to the broker."""

from __future__ import annotations

from typing import Any

SWEEP_EVERY_S = 5.0
PLACES_EVERY_S = 2.0


def celery_settings(redis_url: str) -> dict[str, Any]:
    """The CELERY_* settings. Priorities: the smallest number first, as on the workers' side."""
    return {
        "CELERY_BROKER_URL": redis_url,
        "CELERY_ACCEPT_CONTENT": ["json"],
        "CELERY_TASK_IGNORE_RESULT": True,
        "CELERY_TASK_DEFAULT_QUEUE": "cpu",
        "CELERY_TASK_CREATE_MISSING_QUEUES": True,
        "CELERY_WORKER_PREFETCH_MULTIPLIER": 4,
        "CELERY_WORKER_HIJACK_ROOT_LOGGER": False,
        "CELERY_WORKER_ENABLE_REMOTE_CONTROL": False,
        "CELERY_WORKER_SEND_TASK_EVENTS": False,
        "CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP": True,
        "CELERY_BROKER_CONNECTION_MAX_RETRIES": None,
        "CELERY_BROKER_TRANSPORT_OPTIONS": {
            "queue_order_strategy": "priority",
            "priority_steps": list(range(10)),
            "visibility_timeout": 600,
            "socket_connect_timeout": 2,
            "socket_keepalive": True,
        },
        "CELERY_BEAT_SCHEDULE": {
            "sweep": {"task": "jobs.sweep", "schedule": SWEEP_EVERY_S, "options": {"expires": SWEEP_EVERY_S}},
            "announce-places": {
                "task": "jobs.announce_places",
                "schedule": PLACES_EVERY_S,
                "options": {"expires": PLACES_EVERY_S},
            },
        },
        "CELERY_BEAT_MAX_LOOP_INTERVAL": 1,
    }
