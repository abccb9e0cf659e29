from django.apps import AppConfig


class AuditConfig(AppConfig):
    """Who did what."""

    name = "apps.audit"
    verbose_name = "Audit"
