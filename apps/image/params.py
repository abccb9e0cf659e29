"""What an image job takes, with its limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, StrictStr, ValidationInfo, field_validator
from typing_extensions import override

from apps.jobs.kinds import JobInput

PROMPT_MAX = 4000
Side = Annotated[int | None, Field(ge=32, le=4096, multiple_of=8)]


class ImageInput(JobInput):
    """A picture to make; what is absent is the model's own choice. `image` and `mask` are upload ids."""

    prompt: Annotated[StrictStr, Field(min_length=1, max_length=PROMPT_MAX)]
    negative_prompt: Annotated[StrictStr, Field(max_length=PROMPT_MAX)] = ""
    width: Side = None
    height: Side = None
    steps: Annotated[int | None, Field(ge=1, le=150)] = None
    guidance: Annotated[float | None, Field(ge=0, le=30)] = None
    seed: Annotated[int | None, Field(ge=0, lt=2**32)] = None
    count: Annotated[int, Field(ge=1, le=8)] = 1
    scheduler: Annotated[StrictStr | None, Field(max_length=50)] = None
    image: UUID | None = None
    mask: UUID | None = None
    strength: Annotated[float | None, Field(gt=0, le=1)] = None

    @override
    @classmethod
    def uploads(cls, data: Mapping[str, Any]) -> dict[str, str]:
        return {name: data[name] for name in ("image", "mask") if data.get(name)}

    @field_validator("mask", "strength")
    @classmethod
    def check_start(cls, value: UUID | float | None, info: ValidationInfo) -> UUID | float | None:
        """A mask and a strength need a picture to start from."""
        # An image that is wrong itself is not among the data: its own fault says so.
        if value is not None and info.data.get("image", value) is None:
            raise ValueError(f"{info.field_name} needs image: upload the picture to start from and name it")
        return value
