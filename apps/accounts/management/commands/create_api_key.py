"""`manage.py create_api_key EMAIL --name NAME`: a key for a program."""

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from typing_extensions import override

from aigc.lib.errors import AppError
from apps.accounts.selectors import get_user_by_email
from apps.accounts.services import create_api_key, ensure_workspace


class Command(BaseCommand):
    """Prints the key, and nothing else, on standard output: this is the only time that it can be read."""

    help = "Make an API key for a user's own workspace and print it once."

    @override
    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--name", required=True, help="what the key is for, such as the program's name")
        parser.add_argument(
            "--days", type=int, help="how long the key works; without it, until it is revoked"
        )

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        user = get_user_by_email(options["email"])
        if user is None:
            raise CommandError(f"Nobody here has the address {options['email']!r}.")
        days: int | None = options["days"]
        if days is not None and not 1 <= days <= 36_500:
            raise CommandError(f"--days is {days}; use 1 to 36500.")
        try:
            _, key = create_api_key(
                user=user,
                workspace_id=ensure_workspace(user).workspace_id,
                name=options["name"],
                expires_at=None if days is None else timezone.now() + timedelta(days=days),
            )
        except AppError as error:
            raise CommandError(error.message) from error
        self.stdout.write(key)
