"""`manage.py first_admin`: let the first person in."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from typing_extensions import override

from aigc.lib.errors import AppError
from apps.accounts.selectors import has_any_user
from apps.accounts.services import create_first_admin, make_welcome_link


class Command(BaseCommand):
    """Prints one line at most; run at every start, it does nothing once somebody has an account."""

    help = (
        "Make the first admin from AIGC_ADMIN_EMAIL and AIGC_ADMIN_PASSWORD, or print a one-time link for it."
    )

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        if has_any_user():
            return
        email, password = settings.AIGC_ADMIN_EMAIL, settings.AIGC_ADMIN_PASSWORD
        if bool(email) != bool(password):
            missing = "AIGC_ADMIN_PASSWORD (or AIGC_ADMIN_PASSWORD_FILE)" if email else "AIGC_ADMIN_EMAIL"
            raise CommandError(f"{missing} is not set; set both, or neither to get a one-time link.")
        if not email:
            self.stdout.write(f"{settings.AIGC_BASE_URL}/welcome/{make_welcome_link()}")
            return
        try:
            user = create_first_admin(email=email, password=password)
        except AppError as error:
            raise CommandError(f"The first admin cannot be made: {error.message}") from error
        self.stdout.write(f"Made the first admin {user.email}.")
