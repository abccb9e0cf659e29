"""The REST shapes: of the convenience endpoint, and of conversations, for parsing and for the OpenAPI schema."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from pydantic import BaseModel, Field, StrictBool, StrictStr
from rest_framework import serializers

from apps.chat.models import (
    ASSISTANT_NAME_MAX,
    DESCRIPTION_MAX,
    FOLDER_NAME_MAX,
    OPENING_MAX,
    REASON_MAX,
    SYSTEM_MAX,
    TITLE_MAX,
    Role,
    State,
)
from apps.chat.params import CONTENT_MAX, IMAGES_MAX, Message
from apps.jobs.serializers import ErrorField, UsageField


class ChatRequest(BaseModel, extra="forbid"):
    """`POST /api/v1/chat`: a question, what was said before, and how to answer."""

    query: Annotated[StrictStr, Field(min_length=1, max_length=CONTENT_MAX)]
    images: Annotated[list[UUID] | None, Field(max_length=IMAGES_MAX)] = None
    history: list[Message] = []
    stream: StrictBool = False
    model: StrictStr | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    repetition_penalty: float | None = None
    seed: int | None = None
    stop: list[str] | None = None


@extend_schema_field({"$ref": "#/components/schemas/AnswerParams"})
class ParamsField(serializers.DictField):
    """How to answer, as in the input of a chat job; described in apps/chat/openapi.py."""


IMPORT_MAX = 5000
# More columns are not read side by side.
COMPARED_MAX = 4


def parsed(serializer: serializers.Serializer[Any]) -> dict[str, Any]:
    """What was sent, checked. Raises ValidationError."""
    serializer.is_valid(raise_exception=True)
    found: dict[str, Any] = serializer.validated_data
    return found


class SettingsInput(serializers.Serializer[Any]):
    """How a conversation is asked, and where it is kept."""

    system = serializers.CharField(required=False, allow_blank=True, max_length=SYSTEM_MAX)
    params = ParamsField(required=False)
    folder = serializers.UUIDField(required=False, allow_null=True)


class AskedModels(serializers.Serializer[Any]):
    """Who answers a question: `model`, or several beside each other."""

    model = serializers.CharField(required=False, max_length=200)
    models = serializers.ListField(
        child=serializers.CharField(max_length=200),
        required=False,
        min_length=2,
        max_length=COMPARED_MAX,
        help_text="Each of them answers, and the answers are shown side by side; instead of `model`.",
    )


class AskedQuestion(AskedModels):
    """What is asked, and by which pictures."""

    content = serializers.CharField(max_length=CONTENT_MAX, trim_whitespace=False)
    images = serializers.ListField(
        child=serializers.UUIDField(),
        required=False,
        max_length=IMAGES_MAX,
        help_text="Uploads to look at; for models with the option `vision`.",
    )


class QuestionInput(AskedQuestion):
    """A question; `parent` is the answer that it follows, null for a first one."""

    parent = serializers.UUIDField(required=False, allow_null=True)  # type: ignore[assignment]  # no field there


class StartInput(AskedQuestion, SettingsInput):
    """A new conversation with its first question."""

    assistant = serializers.UUIDField(
        required=False, help_text="Whose model, system prompt and so on are copied."
    )


class AgainInput(serializers.Serializer[Any]):
    """Which model answers once more; the one that did before if absent."""

    model = serializers.CharField(required=False, max_length=200)
    side_by_side = serializers.BooleanField(
        required=False, help_text="Show it together with the other answers."
    )


class ConversationChanges(SettingsInput):
    """What of a conversation is changed.

    `current` is the message whose branch is shown; a question there has its answers shown side by side.
    """

    title = serializers.CharField(required=False, max_length=TITLE_MAX)
    pinned = serializers.BooleanField(required=False)
    archived = serializers.BooleanField(required=False)
    current = serializers.UUIDField(required=False)
    model = serializers.CharField(required=False, allow_blank=True, max_length=200)


class RatingInput(serializers.Serializer[Any]):
    """1 for good, -1 for bad, 0 for neither, and why."""

    rating = serializers.ChoiceField(required=False, choices=(-1, 0, 1))
    rating_reason = serializers.CharField(required=False, allow_blank=True, max_length=REASON_MAX)


class FolderInput(serializers.Serializer[Any]):
    """A folder's name."""

    name = serializers.CharField(max_length=FOLDER_NAME_MAX)


class TurnInput(serializers.Serializer[Any]):
    """A turn of an assistant's opening."""

    role = serializers.ChoiceField(choices=("system", "user", "assistant"))
    content = serializers.CharField(max_length=SYSTEM_MAX, trim_whitespace=False)


class AssistantInput(serializers.Serializer[Any]):
    """A persona: what its conversations begin with."""

    name = serializers.CharField(max_length=ASSISTANT_NAME_MAX)
    description = serializers.CharField(required=False, allow_blank=True, max_length=DESCRIPTION_MAX)
    model = serializers.CharField(required=False, allow_blank=True, max_length=200)
    system = serializers.CharField(required=False, allow_blank=True, max_length=SYSTEM_MAX)
    params = ParamsField(required=False)
    opening = serializers.ListField(child=TurnInput(), required=False, max_length=OPENING_MAX)


class ModelfileText(serializers.Serializer[Any]):
    """An Ollama Modelfile as text."""

    modelfile = serializers.CharField(max_length=4 * SYSTEM_MAX, trim_whitespace=False)


class ModelfileInput(ModelfileText):
    """An Ollama Modelfile, and what its assistant is called."""

    name = serializers.CharField(max_length=ASSISTANT_NAME_MAX)


class AssistantOutput(serializers.Serializer[Any]):
    """An assistant."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    description = serializers.CharField()
    model = serializers.CharField()
    system = serializers.CharField()
    params = ParamsField()
    opening = TurnInput(many=True)


class AssistantListOutput(serializers.Serializer[Any]):
    """All assistants."""

    results = AssistantOutput(many=True)


class NoteOutput(serializers.Serializer[Any]):
    """A line of a Modelfile that was not taken over, and why."""

    line = serializers.IntegerField()
    message = serializers.CharField()


class CheckedModelfile(serializers.Serializer[Any]):
    """What a Modelfile brings, and what of it is left out."""

    model = serializers.CharField()
    system = serializers.CharField()
    params = serializers.DictField()
    opening = TurnInput(many=True)
    notes = NoteOutput(many=True)


class ImportedAssistant(serializers.Serializer[Any]):
    """The assistant and what was left out."""

    assistant = AssistantOutput()
    notes = NoteOutput(many=True)


class ConversationFilter(serializers.Serializer[Any]):
    """Which conversations are listed.

    `search` looks in titles and messages, `folder` is an id or `none`, `job` finds the one that shows it.
    """

    search = serializers.CharField(required=False, allow_blank=True, max_length=200)
    archived = serializers.BooleanField(required=False)
    folder = serializers.CharField(required=False, allow_blank=True, max_length=50)
    job = serializers.CharField(required=False, allow_blank=True, max_length=50)


class ImportedMessage(serializers.Serializer[Any]):
    """A message of an exported conversation."""

    id = serializers.CharField(max_length=100)
    parent = serializers.CharField(allow_null=True, max_length=100)  # type: ignore[assignment]  # the same
    role = serializers.ChoiceField(choices=Role.choices)
    content = serializers.CharField(allow_blank=True, max_length=CONTENT_MAX, trim_whitespace=False)
    created_at = serializers.DateTimeField(required=False)
    model = serializers.CharField(default="", allow_blank=True, max_length=200)
    reasoning = serializers.CharField(
        default="", allow_blank=True, max_length=CONTENT_MAX, trim_whitespace=False
    )
    usage = UsageField(default=dict)
    rating = serializers.ChoiceField(choices=(-1, 0, 1), default=0)


class ImportInput(serializers.Serializer[Any]):
    """What an export as JSON holds; of an imported one only the messages are needed."""

    title = serializers.CharField(default="", allow_blank=True, max_length=TITLE_MAX)
    system = serializers.CharField(default="", allow_blank=True, max_length=SYSTEM_MAX)
    params = ParamsField(default=dict)
    current = serializers.CharField(default=None, allow_null=True, max_length=100)
    messages = serializers.ListField(child=ImportedMessage(), max_length=IMPORT_MAX)


class FolderOutput(serializers.Serializer[Any]):
    """A folder."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    conversations = serializers.IntegerField(help_text="How many are in it, without archived ones.")


class FolderListOutput(serializers.Serializer[Any]):
    """All folders."""

    results = FolderOutput(many=True)


class MessageOutput(serializers.Serializer[Any]):
    """A message; while an answer's `state` is running, its text is in the job's events."""

    id = serializers.UUIDField()
    parent = serializers.UUIDField(allow_null=True)  # type: ignore[assignment]  # the same
    role = serializers.ChoiceField(choices=Role.choices)
    content = serializers.CharField()
    images = serializers.ListField(child=serializers.UUIDField(), help_text="Uploads, while they are there.")
    created_at = serializers.DateTimeField()
    state = serializers.ChoiceField(choices=State.choices)
    job = serializers.UUIDField(allow_null=True)
    model = serializers.CharField()
    reasoning = serializers.CharField()
    error = ErrorField(allow_null=True)
    finish_reason = serializers.CharField()
    usage = UsageField()
    confidence = serializers.FloatField(allow_null=True)
    rating = serializers.ChoiceField(choices=(-1, 0, 1))
    rating_reason = serializers.CharField()


class ConversationOutput(serializers.Serializer[Any]):
    """A conversation as lists show it."""

    id = serializers.UUIDField()
    title = serializers.CharField()
    titled = serializers.BooleanField(help_text="False while the title is only the first words.")
    model = serializers.CharField()
    system = serializers.CharField()
    params = ParamsField()
    pinned = serializers.BooleanField()
    archived = serializers.BooleanField()
    assistant = serializers.UUIDField(allow_null=True)
    folder = serializers.UUIDField(allow_null=True)
    current = serializers.UUIDField(allow_null=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class ConversationDetail(ConversationOutput):
    """A conversation with all of its messages, those of other branches too."""

    messages = MessageOutput(many=True)


class AskedOutput(serializers.Serializer[Any]):
    """The conversation and the messages that are new in it."""

    conversation = ConversationOutput()
    messages = MessageOutput(many=True)
