"""What a chat job takes, with its limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, Field, StrictStr, model_validator
from typing_extensions import override

from aigc.lib.errors import AppError, ErrorCode
from apps.jobs.kinds import JobInput

MESSAGES_MAX = 1000
CONTENT_MAX = 400_000
# In all messages together.
IMAGES_MAX = 8


class Message(BaseModel, extra="forbid", frozen=True):
    """One turn of the conversation."""

    role: Literal["system", "user", "assistant"]
    content: Annotated[StrictStr, Field(max_length=CONTENT_MAX)]
    images: Annotated[list[UUID] | None, Field(max_length=IMAGES_MAX)] = None

    @model_validator(mode="after")
    def check_images(self) -> Self:
        """Only people show pictures."""
        if self.images and self.role != "user":
            raise ValueError("only a message of the user has images")
        return self


class AnswerParams(JobInput):
    """How to answer; what is absent is the model's own choice."""

    max_tokens: Annotated[int, Field(ge=1, le=131_072)] = 1024
    temperature: Annotated[float | None, Field(ge=0, le=2)] = None
    top_p: Annotated[float | None, Field(gt=0, le=1)] = None
    top_k: Annotated[int | None, Field(ge=1, le=1000)] = None
    repetition_penalty: Annotated[float | None, Field(ge=0.5, le=2)] = None
    seed: Annotated[int | None, Field(ge=0, lt=2**63)] = None
    stop: Annotated[list[Annotated[StrictStr, Field(min_length=1, max_length=100)]], Field(max_length=8)] = []


class ChatInput(AnswerParams):
    """The conversation so far and how to answer; the `images` of its messages are upload ids.

    `truncation`: where the conversation is longer than the model reads, "auto" leaves the oldest turns out and
    "disabled" lets the job fail with `context_too_long`.
    """

    messages: Annotated[list[Message], Field(min_length=1, max_length=MESSAGES_MAX)]
    truncation: Literal["auto", "disabled"] = "disabled"

    @override
    @classmethod
    def uploads(cls, data: Mapping[str, Any]) -> dict[str, str]:
        return {
            f"messages.{place}.images.{number}": image
            for place, message in enumerate(data["messages"])
            for number, image in enumerate(message.get("images") or ())
        }

    @override
    def check_model(self, spec: Mapping[str, Any]) -> None:
        seen = next((place for place, message in enumerate(self.messages) if message.images), None)
        if seen is not None and not spec["options"].get("vision"):
            field = f"input.messages.{seen}.images"
            message = (
                f"{field}: the model {spec['id']} reads no pictures; choose one that does, or leave them out."
            )
            raise AppError(ErrorCode.BAD_REQUEST, message, field=field)

    @model_validator(mode="after")
    def check_turns(self) -> Self:
        """Somebody must have asked something, and all of it must fit into one message of the broker."""
        if self.messages[-1].role != "user":
            raise ValueError("the last message must be the user's")
        size = sum(len(message.content) for message in self.messages)
        if size > CONTENT_MAX:
            raise ValueError(
                f"the messages have {size} characters together, more than the {CONTENT_MAX} allowed"
            )
        images = sum(len(message.images or ()) for message in self.messages)
        if images > IMAGES_MAX:
            raise ValueError(
                f"the messages have {images} images together, more than the {IMAGES_MAX} allowed"
            )
        return self
