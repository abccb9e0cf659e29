"""Writing folders; conversations are put into them by `services.change_conversation`."""

from __future__ import annotations

from django.utils import timezone

from apps.accounts.actors import Actor
from apps.accounts.roles import Permission
from apps.chat import selectors
from apps.chat.models import Folder
from apps.jobs.notices import tell


def create_folder(*, actor: Actor, name: str) -> Folder:
    """A new folder."""
    actor.check(Permission.SUBMIT_JOBS)
    folder = Folder.objects.create(workspace_id=actor.workspace_id, owner_id=actor.user_id, name=name)
    _tell_of_folders(actor)
    return folder


def rename_folder(*, actor: Actor, folder_id: str, name: str) -> Folder:
    """The folder under its new name."""
    folder = selectors.get_folder(actor, folder_id)
    folder.name = name
    folder.save(update_fields=["name"])
    _tell_of_folders(actor)
    return folder


def delete_folder(*, actor: Actor, folder_id: str) -> None:
    """Its conversations stay, in no folder."""
    folder = selectors.get_folder(actor, folder_id)
    folder.deleted_at = timezone.now()
    folder.save(update_fields=["deleted_at"])
    _tell_of_folders(actor)


def restore_folder(*, actor: Actor, folder_id: str) -> Folder:
    """Bring it back with what was in it. Raises AppError `not_found` when it is too late."""
    folder = selectors.get_folder(actor, folder_id, deleted=True)
    folder.deleted_at = None
    folder.save(update_fields=["deleted_at"])
    _tell_of_folders(actor)
    return folder


def _tell_of_folders(actor: Actor) -> None:
    tell(workspace_id=actor.workspace_id, user_id=actor.user_id, thing="folders")
