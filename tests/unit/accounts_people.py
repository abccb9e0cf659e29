"""The people of the account tests, made through the services that make real ones."""

from __future__ import annotations

from apps.accounts.actors import Actor
from apps.accounts.models import User
from apps.accounts.services import actor_for_session, create_user

PASSWORD = "correct horse battery"


def make_user(name: str, *, is_staff: bool = False) -> User:
    """A user `NAME@example.org` with PASSWORD."""
    return create_user(email=f"{name}@example.org", password=PASSWORD, name=name.title(), is_staff=is_staff)


def make_actor(name: str, *, is_staff: bool = False) -> Actor:
    """A user of that name, signed in."""
    return actor_for_session(make_user(name, is_staff=is_staff))
