"""Every generation of every medium is a job; this app owns them."""

from django.apps import AppConfig


class JobsConfig(AppConfig):
    """The jobs app."""

    name = "apps.jobs"
    default_auto_field = "django.db.models.BigAutoField"
