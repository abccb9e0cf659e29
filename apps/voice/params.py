"""What a voice job takes, with its limits."""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypedDict

from pydantic import Field, StrictStr, model_validator

from apps.jobs.kinds import JobInput

TEXT_MAX = 50_000
SSML_MAX = 200_000

# The elements of SSML that the engines read, with their attributes; `gpu_workers.engines.ssml` reads them. Of `speak`,
# any attribute is passed over but `xml:lang`.
SSML_ELEMENTS: dict[str, list[str]] = {
    "speak": ["xml:lang"],
    "p": ["xml:lang"],
    "s": ["xml:lang"],
    "break": ["strength", "time"],
    "prosody": ["pitch", "rate", "volume"],
    "emphasis": ["level"],
    "say-as": ["detail", "format", "interpret-as"],
    "sub": ["alias"],
    "voice": ["name", "xml:lang"],
    "lang": ["xml:lang"],
}


class StyleView(TypedDict):
    """A named preset of speed, pitch and volume."""

    id: str
    speed: float
    pitch: float
    volume: float


# No engine here has emotions of its own: a style is what a listener takes for one, and says what it sets.
STYLES: tuple[StyleView, ...] = (
    {"id": "neutral", "speed": 1.0, "pitch": 1.0, "volume": 1.0},
    {"id": "calm", "speed": 0.9, "pitch": 0.95, "volume": 0.9},
    {"id": "cheerful", "speed": 1.1, "pitch": 1.2, "volume": 1.1},
    {"id": "serious", "speed": 0.9, "pitch": 0.85, "volume": 1.0},
    {"id": "gentle", "speed": 0.85, "pitch": 1.1, "volume": 0.7},
)


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
