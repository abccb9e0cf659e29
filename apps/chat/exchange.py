"""Conversations as files: Markdown to read, JSON to bring back."""

from __future__ import annotations

import json
from typing import Any

from apps.chat.models import Conversation, Message, Role
from apps.chat.selectors import branch, view_with_messages

FORMAT = "aigc-studio.conversation"
_NAMES = {Role.USER: "User", Role.ASSISTANT: "Assistant"}


def as_json(conversation: Conversation) -> str:
    """The whole tree; what `import_conversation` takes."""
    view: dict[str, Any] = view_with_messages(conversation)
    for message in view["messages"]:
        del message["job"], message["images"]  # which another installation does not have
    kept = {name: view[name] for name in ("title", "system", "params", "current", "messages")}
    return json.dumps({"format": FORMAT, "version": 1, **kept}, ensure_ascii=False, indent=2)


def as_markdown(conversation: Conversation) -> str:
    """The branch that is shown; reasoning is folded away."""
    parts = [f"# {conversation.title}"]
    if conversation.system:
        parts.append(f"> {conversation.system}".replace("\n", "\n> "))
    parts += [_section(message) for message in branch(conversation, conversation.current_id)]
    return "\n\n".join(parts) + "\n"


def _section(message: Message) -> str:
    model = f" ({message.model})" if message.model else ""
    parts = [f"## {_NAMES[Role(message.role)]}{model}"]
    if message.reasoning:
        parts.append(f"<details>\n\n{message.reasoning}\n\n</details>")
    parts += [message.content, *["[image]"] * len(message.images)]
    return "\n\n".join(parts)
