"""What a voice job takes, with its limits."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StrictStr, model_validator

from apps.jobs.kinds import JobInput

TEXT_MAX = 50_000
SSML_MAX = 200_000


class VoiceInput(JobInput):
    """Something to say: `text`, or `ssml`. Speed, pitch and volume are factors around 1."""

    text: Annotated[StrictStr | None, Field(min_length=1, max_length=TEXT_MAX)] = None
    ssml: Annotated[StrictStr | None, Field(min_length=1, max_length=SSML_MAX)] = None
    language: Annotated[StrictStr | None, Field(max_length=40)] = None
    voice: Annotated[StrictStr | None, Field(max_length=100)] = None
    speed: Annotated[float, Field(ge=0.5, le=4)] = 1.0
    pitch: Annotated[float, Field(ge=0.5, le=2)] = 1.0
    volume: Annotated[float, Field(ge=0, le=2)] = 1.0
    format: Literal["wav", "mp3", "ogg"] = "wav"

    @model_validator(mode="after")
    def check_one_of(self) -> Self:
        """Exactly one of the two."""
        if (self.text is None) == (self.ssml is None):
            raise ValueError("send exactly one of text and ssml")
        return self
