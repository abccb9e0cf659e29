"""Reading conversations: only their owner may, and for anybody else they do not exist."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.db.models import Case, DateTimeField, Exists, ExpressionWrapper, F, OuterRef, Q, QuerySet, When

from aigc.lib.errors import AppError, ErrorCode
from apps.accounts.actors import Actor
from apps.chat.models import Assistant, Conversation, Folder, Message, Role
from apps.jobs.selectors import parse_id

# Far enough that what is pinned comes before all that is not.
PINNED_LEAD = timedelta(days=36_500)


def own_conversations(actor: Actor) -> QuerySet[Conversation]:
    """All of the actor's that are not deleted."""
    return Conversation.objects.filter(
        workspace_id=actor.workspace_id, owner_id=actor.user_id, deleted_at__isnull=True
    )


def list_conversations(
    actor: Actor, *, search: str = "", archived: bool = False, folder: str = "", job: str = ""
) -> QuerySet[Conversation]:
    """The actor's own with a `rank` to order by: pinned first, then by their last change."""
    found = own_conversations(actor).annotate(
        rank=Case(
            When(
                pinned=True,
                then=ExpressionWrapper(F("updated_at") + PINNED_LEAD, output_field=DateTimeField()),
            ),
            default=F("updated_at"),
            output_field=DateTimeField(),
        )
    )
    if job:  # whose ever it is filed
        return found.filter(messages__job_id=parse_id(job))
    if search:
        says_it = Message.objects.filter(conversation=OuterRef("pk"), content__icontains=search)
        found = found.filter(Q(title__icontains=search) | Exists(says_it))
    if folder:
        found = found.filter(folder_id=parse_id(folder))
    return found.filter(archived=archived)


def get_conversation(
    actor: Actor, conversation_id: str | uuid.UUID, *, deleted: bool = False
) -> Conversation:
    """The conversation, or one that was just `deleted`. Raises AppError `not_found`."""
    known = Conversation.objects.filter(
        workspace_id=actor.workspace_id, owner_id=actor.user_id, deleted_at__isnull=not deleted
    )
    conversation = known.filter(pk=parse_id(conversation_id)).first()
    if conversation is None:
        raise AppError(ErrorCode.NOT_FOUND, f"There is no conversation {str(conversation_id)[:50]}.")
    return conversation


def get_message(conversation: Conversation, message_id: str | uuid.UUID) -> Message:
    """The message of this conversation. Raises AppError `not_found`."""
    message = conversation.messages.filter(pk=parse_id(message_id)).first()
    if message is None:
        raise AppError(
            ErrorCode.NOT_FOUND, f"There is no message {str(message_id)[:50]} in this conversation."
        )
    return message


def list_folders(actor: Actor) -> QuerySet[Folder]:
    """The actor's own."""
    return Folder.objects.filter(workspace_id=actor.workspace_id, owner_id=actor.user_id)


def get_folder(actor: Actor, folder_id: str | uuid.UUID) -> Folder:
    """The folder. Raises AppError `not_found`."""
    folder = list_folders(actor).filter(pk=parse_id(folder_id)).first()
    if folder is None:
        raise AppError(ErrorCode.NOT_FOUND, f"There is no folder {str(folder_id)[:50]}.")
    return folder


def list_assistants(actor: Actor) -> QuerySet[Assistant]:
    """The actor's own."""
    return Assistant.objects.filter(workspace_id=actor.workspace_id, owner_id=actor.user_id)


def get_assistant(actor: Actor, assistant_id: str | uuid.UUID) -> Assistant:
    """The assistant. Raises AppError `not_found`."""
    assistant = list_assistants(actor).filter(pk=parse_id(assistant_id)).first()
    if assistant is None:
        raise AppError(ErrorCode.NOT_FOUND, f"There is no assistant {str(assistant_id)[:50]}.")
    return assistant


def branch(conversation: Conversation, end_id: uuid.UUID | None) -> list[Message]:
    """The messages from the first question down to `end_id`."""
    known = {message.pk: message for message in conversation.messages.all()}
    path: list[Message] = []
    while end_id is not None:
        path.append(known[end_id])
        end_id = known[end_id].parent_id
    return path[::-1]


def turns(conversation: Conversation, path: Iterable[Message]) -> list[dict[str, str]]:
    """What the model reads: system prompt, opening and branch, without questions that were never answered."""
    said = [{"role": "system", "content": conversation.system}] if conversation.system else []
    said += conversation.opening
    for message in path:
        if message.role == Role.ASSISTANT and not message.content:
            said.pop()  # with its question
        else:
            said.append({"role": message.role, "content": message.content})
    return said


def view_conversation(conversation: Conversation) -> dict[str, Any]:
    """A conversation as a list shows it."""
    return {
        "id": str(conversation.pk),
        "title": conversation.title,
        "titled": conversation.titled,
        "model": conversation.model,
        "system": conversation.system,
        "params": conversation.params,
        "pinned": conversation.pinned,
        "archived": conversation.archived,
        "assistant": _text(conversation.assistant_id),
        "folder": _text(conversation.folder_id),
        "current": _text(conversation.current_id),
        "created_at": conversation.created_at.isoformat(),
        "updated_at": conversation.updated_at.isoformat(),
    }


def view_with_messages(conversation: Conversation) -> dict[str, Any]:
    """A conversation with its whole tree, oldest message first."""
    messages = [view_message(message) for message in conversation.messages.all()]
    return {**view_conversation(conversation), "messages": messages}


def view_message(message: Message) -> dict[str, Any]:
    """A message; an answer that runs is read from its job."""
    return {
        "id": str(message.pk),
        "parent": _text(message.parent_id),
        "role": message.role,
        "content": message.content,
        "created_at": message.created_at.isoformat(),
        "state": message.state,
        "job": _text(message.job_id),
        "model": message.model,
        "reasoning": message.reasoning,
        "error": message.error,
        "finish_reason": message.finish_reason,
        "usage": message.usage,
        "confidence": message.confidence,
        "rating": message.rating,
        "rating_reason": message.rating_reason,
    }


def _text(found: uuid.UUID | None) -> str | None:
    return None if found is None else str(found)


def view_folder(folder: Folder) -> dict[str, str]:
    """A folder."""
    return {"id": str(folder.pk), "name": folder.name}


def view_assistant(assistant: Assistant) -> dict[str, Any]:
    """An assistant."""
    return {
        "id": str(assistant.pk),
        "name": assistant.name,
        "description": assistant.description,
        "model": assistant.model,
        "system": assistant.system,
        "params": assistant.params,
        "opening": assistant.opening,
    }
