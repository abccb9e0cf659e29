"""The REST shapes of the convenience endpoint."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field, StrictBool, StrictStr

from apps.chat.params import CONTENT_MAX, Message


class ChatRequest(BaseModel, extra="forbid"):
    """`POST /api/v1/chat`: a question, what was said before, and how to answer."""

    query: Annotated[StrictStr, Field(min_length=1, max_length=CONTENT_MAX)]
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
