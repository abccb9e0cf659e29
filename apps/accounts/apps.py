from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Users, workspaces, roles and API keys."""

    name = "apps.accounts"
    verbose_name = "Accounts"
