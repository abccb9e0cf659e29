from django.apps import AppConfig


class CatalogConfig(AppConfig):
    """Which models exist and which engine runs them."""

    name = "apps.catalog"
    verbose_name = "Catalogue"
