"""Wiring: settings, addresses, the server's entry points. Importing it makes the Celery app the current one."""

from aigc.celery import app as celery_app

__all__ = ["celery_app"]
