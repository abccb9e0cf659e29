"""Reading conversations: only their owner may, and for anybody else they do not exist."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, TypeVar

from django.db.models import (
    Case,
    Count,
    DateTimeField,
    Exists,
    ExpressionWrapper,
    F,
    Model,
    OuterRef,
    Q,
    QuerySet,
    When,
)

from aigc.lib.errors import AppError, ErrorCode
from apps.accounts.actors import Actor
from apps.chat.models import Assistant, Conversation, Folder, Message, Role
from apps.chat.params import CONTENT_MAX, MESSAGES_MAX
from apps.jobs.selectors import parse_id

# Far enough that what is pinned comes before all that is not.
PINNED_LEAD = timedelta(days=36_500)
# What a list of conversations says for those that are in no folder.
NO_FOLDER = "none"

M = TypeVar("M", bound=Model)
# Role and content, and images where there are some.
Turn = dict[str, Any]


def own_conversations(actor: Actor) -> QuerySet[Conversation]:
    """All of the actor's that are not deleted."""
    return _own(Conversation.objects.select_related("folder", "assistant"), actor)


def _own(rows: QuerySet[M], actor: Actor, *, deleted: bool = False) -> QuerySet[M]:
    """Those of the actor that are not deleted, or those that just were."""
    return rows.filter(
        workspace_id=actor.workspace_id, owner_id=actor.user_id, deleted_at__isnull=not deleted
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
    if folder == NO_FOLDER:
        found = found.filter(Q(folder__isnull=True) | Q(folder__deleted_at__isnull=False))
    elif folder:
        found = found.filter(folder_id=parse_id(folder), folder__deleted_at__isnull=True)
    return found.filter(archived=archived)


def get_conversation(
    actor: Actor, conversation_id: str | uuid.UUID, *, deleted: bool = False
) -> Conversation:
    """The conversation, or one that was just `deleted`. Raises AppError `not_found`."""
    known = _own(Conversation.objects.select_related("folder", "assistant"), actor, deleted=deleted)
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


def list_folders(actor: Actor) -> list[dict[str, Any]]:
    """The actor's own by name, each with the number of conversations that a list shows in it."""
    listed = Q(conversations__deleted_at__isnull=True, conversations__archived=False)
    folders = _own(Folder.objects.all(), actor).annotate(count=Count("conversations", filter=listed))
    return [view_folder(folder, folder.count) for folder in folders]


def get_folder(actor: Actor, folder_id: str | uuid.UUID, *, deleted: bool = False) -> Folder:
    """The folder, or one that was just `deleted`. Raises AppError `not_found`."""
    folder = _own(Folder.objects.all(), actor, deleted=deleted).filter(pk=parse_id(folder_id)).first()
    if folder is None:
        raise AppError(ErrorCode.NOT_FOUND, f"There is no folder {str(folder_id)[:50]}.")
    return folder


def list_assistants(actor: Actor) -> QuerySet[Assistant]:
    """The actor's own."""
    return _own(Assistant.objects.all(), actor)


def get_assistant(actor: Actor, assistant_id: str | uuid.UUID, *, deleted: bool = False) -> Assistant:
    """The assistant, or one that was just `deleted`. Raises AppError `not_found`."""
    assistants = _own(Assistant.objects.all(), actor, deleted=deleted)
    assistant = assistants.filter(pk=parse_id(assistant_id)).first()
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


def turns(conversation: Conversation, path: Iterable[Message]) -> tuple[list[Turn], int]:
    """What the model reads: system prompt, opening and branch, without questions that were never answered.

    Of a branch that is too long for a job the end; also returns how many turns that leaves out.
    """
    told: list[Turn] = [{"role": "system", "content": conversation.system}] if conversation.system else []
    told += conversation.opening
    said: list[Turn] = []
    for message in path:
        if message.role == Role.ASSISTANT and not message.content:
            said.pop()  # with its question
        else:
            said.append({"role": message.role, "content": message.content})
            if message.images:
                said[-1]["images"] = message.images
    kept = _newest(said, MESSAGES_MAX - len(told), CONTENT_MAX - _size(told))
    return told + kept, len(said) - len(kept)


def _newest(said: list[Turn], most: int, most_characters: int) -> list[Turn]:
    """The longest end that begins with a question and is within both; the last question in any case."""
    first = start = len(said) - 1
    size = _size(said[start:])
    while start > 0 and len(said) - start < most:
        start -= 1
        size += _size(said[start : start + 1])
        if size > most_characters:
            break
        if said[start]["role"] == Role.USER:
            first = start
    return said[first:]


def _size(said: Iterable[Turn]) -> int:
    return sum(len(turn["content"]) for turn in said)


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
        "assistant": _living_id(conversation.assistant),
        "folder": _living_id(conversation.folder),
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
        "images": message.images,
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


def _living_id(found: Folder | Assistant | None) -> str | None:
    return None if found is None or found.deleted_at is not None else str(found.pk)


def view_folder(folder: Folder, count: int | None = None) -> dict[str, Any]:
    """A folder; `count` where the number of its conversations is known already."""
    if count is None:
        count = folder.conversations.filter(deleted_at__isnull=True, archived=False).count()
    return {"id": str(folder.pk), "name": folder.name, "conversations": count}


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
