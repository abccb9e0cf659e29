"""What a chat job takes, with its limits."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, StrictStr, model_validator

from apps.jobs.kinds import JobInput

MESSAGES_MAX = 1000
CONTENT_MAX = 400_000


class Message(BaseModel, extra="forbid", frozen=True):
    """One turn of the conversation."""

    role: Literal["system", "user", "assistant"]
    content: Annotated[StrictStr, Field(max_length=CONTENT_MAX)]


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
    """The conversation so far and how to answer.

    `truncation`: where the conversation is longer than the model reads, "auto" leaves the oldest turns out and
    "disabled" lets the job fail with `context_too_long`.
    """

    messages: Annotated[list[Message], Field(min_length=1, max_length=MESSAGES_MAX)]
    truncation: Literal["auto", "disabled"] = "disabled"

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
        return self
