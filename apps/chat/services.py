"""Writing conversations: ask, branch, keep the answers, and delete so that nothing is left."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import structlog
from django.utils import timezone
from pydantic import ValidationError
from redis.exceptions import RedisError

from aigc.lib.errors import AppError, ErrorCode
from aigc.lib.write_transaction import write_transaction
from apps.accounts.actors import Actor
from apps.accounts.roles import Permission
from apps.catalog.selectors import reads_images
from apps.chat import selectors, titles
from apps.chat.models import Assistant, Conversation, Folder, Message, Role, State
from apps.chat.params import IMAGES_MAX, AnswerParams
from apps.jobs.notices import tell
from apps.jobs.selectors import JobView, own_upload_ids, view_job
from apps.jobs.services import cancel_job, erase_jobs, input_error, settle, submit_job

logger = structlog.get_logger(__name__)

# How long a deleted conversation can be brought back.
UNDO_TIME = timedelta(minutes=10)
# A title is made of the first line of the first question.
FIRST_TITLE_MAX = 60
# In an answer's usage: how many of the oldest turns its model has not read.
DROPPED = "dropped_turns"

_STATES = {
    "succeeded": State.DONE,
    "cancelled": State.STOPPED,
    "failed": State.FAILED,
    "blocked": State.BLOCKED,
}


# --- reading


def read_conversation(*, actor: Actor, conversation_id: str) -> Conversation:
    """The conversation, its answers as far as their events are. Raises AppError `not_found`.

    Who follows events knows of an end a little before the rows do, and may read at once what became of it.
    """
    conversation = selectors.get_conversation(actor, conversation_id)
    running = conversation.messages.filter(state=State.RUNNING, job__isnull=False)
    for job_id in running.values_list("job_id", flat=True):
        try:
            settle(str(job_id))
        except RedisError as error:
            logger.warning("end_unknown", job=str(job_id), error=str(error))
    return conversation


# --- asking


def start_conversation(
    *,
    actor: Actor,
    content: str,
    images: Sequence[uuid.UUID] = (),
    model: str | None = None,
    models: Sequence[str] = (),
    assistant: uuid.UUID | None = None,
    key: str = "",
    **settings: Any,
) -> list[Message]:
    """Ask the first question of a new conversation; returns the answers that run. Raises what `ask` raises.

    What the assistant brings is copied; `settings` come over it.
    """
    conversation = Conversation(
        workspace_id=actor.workspace_id, owner_id=actor.user_id, title=_title_of(content)
    )
    if assistant is not None:
        persona = conversation.assistant = selectors.get_assistant(actor, assistant)
        conversation.model, conversation.system = persona.model, persona.system
        conversation.params, conversation.opening = persona.params, persona.opening
    _set(actor, conversation, settings)
    return _ask(actor, conversation, _question(conversation, None, content, images), models or [model], key)


def ask(
    *,
    actor: Actor,
    conversation_id: str,
    content: str,
    images: Sequence[uuid.UUID] = (),
    parent: str | None = None,
    model: str | None = None,
    models: Sequence[str] = (),
    key: str = "",
) -> list[Message]:
    """Ask after the answer `parent`, or first of all; returns the answers that run: one, or one of each of `models`.

    Raises AppError: `not_found`, `conflict` while the parent is still being written, and what `submit_job` raises.
    """
    conversation = selectors.get_conversation(actor, conversation_id)
    before = selectors.get_message(conversation, parent) if parent else None
    if before is not None and before.role != Role.ASSISTANT:
        raise AppError(ErrorCode.BAD_REQUEST, "parent: a question follows an answer.", field="parent")
    if before is not None and not _has_ended(before):
        message = "The answer before is still being written; wait for it or stop it."
        raise AppError(ErrorCode.CONFLICT, message, field="parent")
    return _ask(actor, conversation, _question(conversation, before, content, images), models or [model], key)


def _has_ended(answer: Message) -> bool:
    """Whether it is written. Who follows its events knows that a little before the row does."""
    if answer.state == State.RUNNING and answer.job_id is not None:
        settle(answer.job_id)
        answer.refresh_from_db()
    return answer.state != State.RUNNING


def answer_again(
    *,
    actor: Actor,
    conversation_id: str,
    message_id: str,
    model: str | None = None,
    side_by_side: bool = False,
    key: str = "",
) -> list[Message]:
    """Have the question of this answer answered once more; `side_by_side` shows all answers together.

    Raises what `ask` raises.
    """
    conversation = selectors.get_conversation(actor, conversation_id)
    answer = selectors.get_message(conversation, message_id)
    if answer.role != Role.ASSISTANT or answer.parent is None:
        raise AppError(ErrorCode.BAD_REQUEST, "Only an answer can be made again.", field="message")
    chosen = [model or answer.model]
    return _ask(actor, conversation, answer.parent, chosen, key, side_by_side=side_by_side)


def _ask(
    actor: Actor,
    conversation: Conversation,
    question: Message,
    models: Sequence[str | None],
    key: str,
    *,
    side_by_side: bool = False,
) -> list[Message]:
    """Have each of the models answer `question`: all of them, or none when one is refused."""
    with write_transaction():
        answers = [
            _answer(actor, conversation, question, model, _key_of(key, place))
            for place, model in enumerate(models)
        ]
        # A repeated key brings the answers of an earlier call, with a conversation that has gone on since.
        is_new = answers[0].conversation is conversation
        if is_new and (side_by_side or len(answers) > 1):
            _touch(conversation, current=question)
    if is_new:
        tell_of(conversation)
    return answers


def _key_of(key: str, place: int) -> str:
    """Each answer's job has a key of its own; the first one has the caller's."""
    return key if not key or place == 0 else f"{place}-{hashlib.sha256(key.encode()).hexdigest()}"


def _answer(
    actor: Actor, conversation: Conversation, question: Message, model: str | None, key: str
) -> Message:
    """Submit the job that answers `question`, and store it with what is new of question and conversation."""
    answer = Message(conversation=conversation, parent=question, role=Role.ASSISTANT, state=State.RUNNING)

    def store(job: Any) -> None:
        for new in (conversation, question):
            if new._state.adding:  # noqa: SLF001  Django's way to know
                new.save(force_insert=True)
        answer.job, answer.model = job, job.model
        answer.save(force_insert=True)
        _touch(conversation, current=answer, model=job.model)

    path = selectors.branch(conversation, question.parent_id) if question.parent_id else []
    turns, dropped = selectors.turns(conversation, [*path, question])
    model = model or conversation.model or None
    _choose_images(actor, question, turns, model)
    if dropped:
        answer.usage = {DROPPED: dropped}
    job = submit_job(
        actor=actor,
        kind="chat",
        params={**conversation.params, "truncation": "auto", "messages": turns},
        model=model,
        idempotency_key=key,
        also=store,
    )
    if answer.job_id is not None:
        return answer
    first = Message.objects.filter(job_id=job.pk, conversation__deleted_at__isnull=True).first()
    if first is None:
        message = (
            f"Idempotency-Key {key[:50]!r} was used for another request; use a new key for a new request."
        )
        raise AppError(ErrorCode.CONFLICT, message, field="Idempotency-Key")
    return first


def _question(
    conversation: Conversation, before: Message | None, content: str, images: Sequence[uuid.UUID]
) -> Message:
    shown = [str(image) for image in images]
    return Message(conversation=conversation, parent=before, role=Role.USER, content=content, images=shown)


def _choose_images(actor: Actor, question: Message, turns: list[selectors.Turn], model: str | None) -> None:
    """Leave in the turns what this model reads: the question's images, and as many of the newest before as may come.

    Raises AppError `bad_request` where it reads none, `not_found` for an upload of a new question that is gone.
    """
    if not any(turn.get("images") for turn in turns):
        return
    reads = reads_images(model)
    if question.images and not reads:
        message = "images: this model reads no pictures; choose one that does, or leave them out."
        raise AppError(ErrorCode.BAD_REQUEST, message, field="images")
    known = own_upload_ids(actor, [image for turn in turns for image in turn.get("images", ())])
    missing = next((image for image in question.images if image not in known), None)
    if missing and question._state.adding:  # noqa: SLF001  asked again it is answered from what is left
        message = f"images: there is no upload {missing}, or no longer; upload it again."
        raise AppError(ErrorCode.NOT_FOUND, message, field="images")
    room = IMAGES_MAX if reads else 0
    for turn in reversed(turns):
        kept = [image for image in turn.pop("images", ()) if image in known][:room]
        room -= len(kept)
        if kept:
            turn["images"] = kept


def keep_answer(job_id: str) -> None:
    """Take what a job has written into the answer or title that it was for; part of the job's own transaction."""
    titled = titles.keep(job_id)
    if titled is not None:
        tell_of(titled)
    answer = Message.objects.filter(job_id=job_id).select_related("job", "conversation").first()
    if answer is None or answer.job is None:
        return
    _fill(answer, view_job(answer.job))
    answer.save()
    _touch(answer.conversation)


def _fill(answer: Message, job: JobView) -> None:
    result = job.get("result", {})
    answer.state = _STATES[job["status"]]
    answer.content, answer.reasoning = result.get("text", ""), result.get("reasoning", "")
    answer.error = job.get("error")
    answer.finish_reason = result.get("finish_reason", "")
    answer.confidence = result.get("confidence")
    # What the conversation left out, and then the model's worker.
    dropped = answer.usage.get(DROPPED, 0)
    answer.usage = {**result.get("usage", {})}
    if dropped:
        answer.usage[DROPPED] = dropped + answer.usage.get(DROPPED, 0)


# --- keeping in order


def change_conversation(*, actor: Actor, conversation_id: str, changes: Mapping[str, Any]) -> Conversation:
    """Rename, pin, archive, file, show another branch, or ask differently from now on.

    Raises AppError: `not_found` for a folder or message that is not there, `bad_request` for wrong parameters.
    """
    conversation = selectors.get_conversation(actor, conversation_id)
    changes = dict(changes)
    if "current" in changes:
        changes["current"] = selectors.get_message(conversation, changes["current"])
    if "title" in changes:
        changes["titled"] = True
    _set(actor, conversation, changes)
    conversation.save(update_fields=list(changes))
    tell_of(conversation)
    return conversation


def _set(actor: Actor, conversation: Conversation, settings: Mapping[str, Any]) -> None:
    for name, value in settings.items():
        if name == "folder" and value is not None:
            value = selectors.get_folder(actor, value)  # noqa: PLW2901
        elif name == "params":
            value = checked_params(value)  # noqa: PLW2901
        setattr(conversation, name, value)


def checked_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of an answer, within their limits. Raises AppError `bad_request` with the field."""
    try:
        return AnswerParams.model_validate(params).model_dump(mode="json", exclude_unset=True)
    except ValidationError as error:
        raise input_error(error, prefix="params") from error


def rate_message(
    *, actor: Actor, conversation_id: str, message_id: str, changes: Mapping[str, Any]
) -> Message:
    """Thumbs up or down for an answer, with a reason. Raises AppError `bad_request` for a question."""
    conversation = selectors.get_conversation(actor, conversation_id)
    message = selectors.get_message(conversation, message_id)
    if message.role != Role.ASSISTANT:
        raise AppError(ErrorCode.BAD_REQUEST, "rating: only answers are rated.", field="rating")
    for name, value in changes.items():
        setattr(message, name, value)
    message.save(update_fields=list(changes))
    tell(
        workspace_id=conversation.workspace_id,
        user_id=conversation.owner_id,
        thing="rating",
        thing_id=str(message.pk),
        data={
            "conversation": str(conversation.pk),
            "rating": message.rating,
            "rating_reason": message.rating_reason,
        },
    )
    return message


def tell_of(conversation: Conversation, *, gone: bool = False) -> None:
    """Let the other pages of its owner show how it is now."""
    tell(
        workspace_id=conversation.workspace_id,
        user_id=conversation.owner_id,
        thing="conversation",
        thing_id=str(conversation.pk),
        data=None if gone else selectors.view_conversation(conversation),
    )


def _touch(conversation: Conversation, **changes: Any) -> None:
    """Set and store what has changed, and when."""
    changes["updated_at"] = timezone.now()
    for name, value in changes.items():
        setattr(conversation, name, value)
    conversation.save(update_fields=list(changes))


# --- deleting


def delete_conversation(*, actor: Actor, conversation_id: str) -> None:
    """Hide it at once and stop what it still has written; `erase_deleted` leaves nothing of it."""
    conversation = selectors.get_conversation(actor, conversation_id)
    conversation.deleted_at = timezone.now()
    conversation.save(update_fields=["deleted_at"])
    tell_of(conversation, gone=True)
    for answer in conversation.messages.filter(state=State.RUNNING, job__isnull=False):
        cancel_job(actor=actor, job_id=answer.job_id or uuid.UUID(int=0))


def restore_conversation(*, actor: Actor, conversation_id: str) -> Conversation:
    """Bring back what was just deleted. Raises AppError `not_found` when it is too late."""
    conversation = selectors.get_conversation(actor, conversation_id, deleted=True)
    conversation.deleted_at = None
    conversation.save(update_fields=["deleted_at"])
    tell_of(conversation)
    return conversation


def erase_deleted() -> None:
    """Erase what was deleted longer ago than it can be brought back: messages, jobs and their events."""
    long_ago = timezone.now() - UNDO_TIME
    Folder.objects.filter(deleted_at__lt=long_ago).delete()
    Assistant.objects.filter(deleted_at__lt=long_ago).delete()
    for conversation in Conversation.objects.filter(deleted_at__lt=long_ago):
        answers = conversation.messages.exclude(job=None).values_list("job_id", flat=True)
        jobs = [*answers, *filter(None, [conversation.title_job_id])]
        with write_transaction():
            if erase_jobs(jobs):
                conversation.delete()


# --- import


def import_conversation(
    *, actor: Actor, title: str, messages: Sequence[Mapping[str, Any]], current: str | None, **settings: Any
) -> Conversation:
    """A conversation as `exchange.as_json` wrote it, with new ids.

    Raises AppError `bad_request` for a message whose parent is missing, of the same role, or below itself.
    """
    actor.check(Permission.SUBMIT_JOBS)
    conversation = Conversation(
        workspace_id=actor.workspace_id,
        owner_id=actor.user_id,
        title=title or _title_of(_first_text(messages)),
        titled=bool(title),
    )
    _set(actor, conversation, settings)
    made = _planted(conversation, messages)
    with write_transaction():
        conversation.save(force_insert=True)
        Message.objects.bulk_create(made.values())
        end = made.get(current or "") or (list(made.values())[-1] if made else None)
        _touch(conversation, current=end)
    tell_of(conversation)
    return conversation


def _planted(conversation: Conversation, messages: Sequence[Mapping[str, Any]]) -> dict[str, Message]:
    """The messages as rows, parents before children, by the id that they had."""
    made: dict[str, Message] = {}
    waiting = dict(enumerate(messages))
    while waiting:
        ready = [number for number, one in waiting.items() if not one["parent"] or one["parent"] in made]
        if not ready:
            field = f"messages.{next(iter(waiting))}.parent"
            raise AppError(ErrorCode.BAD_REQUEST, f"{field}: there is no such message above it.", field=field)
        for number in ready:
            one = waiting.pop(number)
            parent = made.get(one["parent"] or "")
            if one["id"] in made or one["role"] == (parent.role if parent else Role.ASSISTANT):
                field = f"messages.{number}"
                message = f"{field}: ids are used once, and questions and answers take turns."
                raise AppError(ErrorCode.BAD_REQUEST, message, field=field)
            made[one["id"]] = _copied(conversation, parent, one, number)
    return made


def _copied(
    conversation: Conversation, parent: Message | None, one: Mapping[str, Any], number: int
) -> Message:
    message = Message(conversation=conversation, parent=parent, role=one["role"], content=one["content"])
    # Messages are read in the order of their times; without one, in that of the file.
    message.created_at = one.get("created_at") or conversation.created_at + timedelta(microseconds=number)
    if message.role == Role.ASSISTANT:
        message.state = State.DONE if one["content"] else State.STOPPED
        message.model, message.reasoning = one["model"], one["reasoning"]
        message.usage, message.rating = one["usage"], one["rating"]
    return message


def _first_text(messages: Sequence[Mapping[str, Any]]) -> str:
    return next((one["content"] for one in messages if one["content"].strip()), "")


def _title_of(text: str) -> str:
    line = next((line.strip() for line in text.splitlines() if line.strip()), "…")
    return line if len(line) <= FIRST_TITLE_MAX else f"{line[: FIRST_TITLE_MAX - 1].rstrip()}…"
