"""The cpu worker's and beat's Celery app: `celery -A aigc worker -Q cpu`, `celery -A aigc beat`."""

from __future__ import annotations

import os

from celery import Celery
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aigc.settings")

app = Celery("aigc", set_as_current=True)
app.add_defaults(lambda: settings.CELERY)
app.set_default()
app.autodiscover_tasks()
