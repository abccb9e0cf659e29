"""How this side talks to the broker."""

from __future__ import annotations

from typing import Any

PLACES_EVERY_S = 2.0
ERASE_EVERY_S = 60.0


def celery_settings(redis_url: str, *, sweep_s: int) -> dict[str, Any]:
    """Celery's settings. Priorities: the smallest number first, as on the workers' side."""
    return {
        "broker_url": redis_url,
        "accept_content": ["json"],
        "timezone": "UTC",
        "task_ignore_result": True,
        "task_default_queue": "cpu",
        "task_create_missing_queues": True,
        "worker_prefetch_multiplier": 4,
        "worker_hijack_root_logger": False,
        "worker_enable_remote_control": False,
        "worker_send_task_events": False,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_transport_options": {
            "queue_order_strategy": "priority",
            "priority_steps": list(range(10)),
            "visibility_timeout": 600,
            "socket_connect_timeout": 2,
            "socket_keepalive": True,
        },
        "beat_schedule": {
            "sweep": {"task": "jobs.sweep", "schedule": float(sweep_s), "options": {"expires": sweep_s}},
            "announce-places": {
                "task": "jobs.announce_places",
                "schedule": PLACES_EVERY_S,
                "options": {"expires": PLACES_EVERY_S},
            },
            "erase-unused-uploads": {
                "task": "jobs.erase_unused_uploads",
                "schedule": ERASE_EVERY_S,
                "options": {"expires": ERASE_EVERY_S},
            },
            "erase-deleted": {
                "task": "chat.erase_deleted",
                "schedule": ERASE_EVERY_S,
                "options": {"expires": ERASE_EVERY_S},
            },
            "erase-deleted-pictures": {
                "task": "image.erase_deleted",
                "schedule": ERASE_EVERY_S,
                "options": {"expires": ERASE_EVERY_S},
            },
            "erase-deleted-speeches": {
                "task": "voice.erase_deleted",
                "schedule": ERASE_EVERY_S,
                "options": {"expires": ERASE_EVERY_S},
            },
        },
        "beat_max_loop_interval": 1,
    }
