from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CatalogConfig(AppConfig):
    """Which models exist and which engine runs them."""

    name = "apps.catalog"
    verbose_name = _("Catalogue")
