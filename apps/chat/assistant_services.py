"""Writing assistants: personas that a conversation copies when it begins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from apps.accounts.actors import Actor
from apps.accounts.roles import Permission
from apps.catalog.selectors import ModelDisabled, ModelNotFound, get_model_spec
from apps.chat import selectors
from apps.chat.modelfile import Note, read_modelfile
from apps.chat.models import Assistant
from apps.chat.services import checked_params
from apps.jobs.notices import tell


def create_assistant(*, actor: Actor, fields: Mapping[str, Any]) -> Assistant:
    """A new persona. Raises AppError `bad_request` for wrong parameters."""
    actor.check(Permission.SUBMIT_JOBS)
    assistant = Assistant(workspace_id=actor.workspace_id, owner_id=actor.user_id)
    _describe(assistant, fields)
    assistant.save(force_insert=True)
    _tell_of_assistants(actor)
    return assistant


def change_assistant(*, actor: Actor, assistant_id: str, fields: Mapping[str, Any]) -> Assistant:
    """For conversations that begin from now on. Raises AppError: `not_found`, `bad_request` for wrong parameters."""
    assistant = selectors.get_assistant(actor, assistant_id)
    _describe(assistant, fields)
    assistant.save(update_fields=list(fields))
    _tell_of_assistants(actor)
    return assistant


def delete_assistant(*, actor: Actor, assistant_id: str) -> None:
    """Its conversations stay as they are."""
    assistant = selectors.get_assistant(actor, assistant_id)
    assistant.deleted_at = timezone.now()
    assistant.save(update_fields=["deleted_at"])
    _tell_of_assistants(actor)


def restore_assistant(*, actor: Actor, assistant_id: str) -> Assistant:
    """Bring back what was just deleted. Raises AppError `not_found` when it is too late."""
    assistant = selectors.get_assistant(actor, assistant_id, deleted=True)
    assistant.deleted_at = None
    assistant.save(update_fields=["deleted_at"])
    _tell_of_assistants(actor)
    return assistant


def _tell_of_assistants(actor: Actor) -> None:
    tell(workspace_id=actor.workspace_id, user_id=actor.user_id, thing="assistants")


def import_modelfile(*, actor: Actor, name: str, modelfile: str) -> tuple[Assistant, list[Note]]:
    """An assistant of what an Ollama Modelfile says, and what of it was left out.

    Raises AppError `bad_request` for parameters beyond our limits.
    """
    fields, notes = check_modelfile(modelfile)
    return create_assistant(actor=actor, fields={"name": name, **fields}), notes


def check_modelfile(modelfile: str) -> tuple[dict[str, Any], list[Note]]:
    """What an import of it would take over, and what of it would be left out.

    Raises AppError `bad_request` for parameters beyond our limits.
    """
    found = read_modelfile(modelfile)
    if found.model:
        try:
            get_model_spec(found.model, "chat")
        except ModelNotFound:
            message = f"There is no chat model {found.model[:60]!r} here; the default model answers."
            found.notes.append(Note(found.model_line, message))
            found.model = ""
        except ModelDisabled:
            message = f"The model {found.model} is not enabled; the default model answers until it is."
            found.notes.append(Note(found.model_line, message))
    fields = {
        "model": found.model,
        "system": found.system,
        "params": checked_params(found.params),
        "opening": found.opening,
    }
    return fields, sorted(found.notes, key=lambda note: note.line)


def _describe(assistant: Assistant, fields: Mapping[str, Any]) -> None:
    for name, value in fields.items():
        setattr(assistant, name, checked_params(value) if name == "params" else value)
