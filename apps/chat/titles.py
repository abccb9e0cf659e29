"""Automatic titles: once a first answer is there, the same model is asked for a title, after everybody's jobs."""

from __future__ import annotations

import re
import uuid

import structlog
from django.conf import settings

from aigc.lib.errors import AppError
from apps.accounts.selectors import find_actor
from apps.catalog.selectors import is_untrained
from apps.chat.models import Conversation, Message, Role, State
from apps.jobs.selectors import view_job
from apps.jobs.services import submit_job
from apps.jobs.states import Tier

logger = structlog.get_logger(__name__)

PURPOSE = "title"
TITLE_SHOWN_MAX = 80
# Room for what a model thinks first.
_MAX_TOKENS = 400
_READ_MAX = 1500
_HAN = re.compile(r"[\u4e00-\u9fff]")
_ASK = {
    "en": "Write a short title for this conversation:\n\nUser: {question}\nAssistant: {answer}",
    "zh": "给下面的对话起一个简短的标题：\n\n用户：{question}\n助手：{answer}",
}
# What models put around a title.
_AROUND = re.compile(
    r"^(?:#+\s*|\*+|title\s*[:：]|标题\s*[:：]|[\"'“”‘’《「\s])+|[\"'“”‘’》」*.。\s]+$", re.IGNORECASE
)


def ask_after(job_id: str) -> None:
    """Order a title when this job has made the first answer of a conversation that has none yet.

    A title is worth no error: what goes wrong is logged, and the first words stay.
    """
    found = Message.objects.filter(job_id=uuid.UUID(job_id), state=State.DONE).exclude(content="")
    answer = found.select_related("conversation", "parent").first()
    if answer is None or answer.parent is None or not settings.AIGC_AUTO_TITLES:
        return
    conversation = answer.conversation
    actor = find_actor(user_id=conversation.owner_id, workspace_id=conversation.workspace_id)
    if actor is None or conversation.titled or conversation.title_job_id is not None:
        return
    if is_untrained(answer.model):
        return
    ask = _ASK["zh" if _HAN.search(answer.parent.content) else "en"]
    content = ask.format(question=answer.parent.content[:_READ_MAX], answer=answer.content[:_READ_MAX])
    try:
        submit_job(
            actor=actor,
            kind="chat",
            params={"messages": [{"role": Role.USER.value, "content": content}], "max_tokens": _MAX_TOKENS},
            model=answer.model,
            tier=Tier.BATCH,
            purpose=PURPOSE,
            idempotency_key=f"{PURPOSE}-{conversation.pk}",
            also=lambda job: Conversation.objects.filter(pk=conversation.pk).update(title_job=job),
        )
    except AppError as error:
        logger.info("title_not_asked", conversation=str(conversation.pk), error=str(error))


def keep(job_id: str) -> Conversation | None:
    """Take the title that a job has made, unless the owner was faster; part of the job's own transaction.

    Returns the conversation that has a new title.
    """
    conversation = (
        Conversation.objects.filter(title_job_id=uuid.UUID(job_id)).select_related("title_job").first()
    )
    if conversation is None or conversation.title_job is None:
        return None
    title = clean(view_job(conversation.title_job).get("result", {}).get("text", ""))
    untitled = Conversation.objects.filter(pk=conversation.pk, titled=False)
    if not title or not untitled.update(title=title, titled=True):
        return None
    conversation.title, conversation.titled = title, True
    return conversation


def clean(text: str) -> str:
    """The first line without quotes, marks or the word title; nothing when there is no such line."""
    for line in text.splitlines():
        title = _AROUND.sub("", line)
        if title:
            return title if len(title) <= TITLE_SHOWN_MAX else f"{title[: TITLE_SHOWN_MAX - 1].rstrip()}…"
    return ""
