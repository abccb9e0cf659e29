"""Every generation of every medium is a job; this app owns them."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _
from typing_extensions import override


class JobsConfig(AppConfig):
    """The jobs app."""

    name = "apps.jobs"
    verbose_name = _("Jobs")

    @override
    def ready(self) -> None:
        """Have a worker load each model that becomes enabled."""
        from apps.catalog.services import register_on_enable  # noqa: PLC0415  models may not be imported before
        from apps.jobs.dispatch import send_load  # noqa: PLC0415

        register_on_enable(send_load)
