"""Pictures as files: what a file says about how it was made, and the same picture in other formats."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, BinaryIO, NamedTuple

from PIL import Image

# The chunks of a PNG in which gpu workers write how it was made: as text for people and as JSON.
TEXT_KEY = "parameters"
JSON_KEY = "aigc"


class Described(NamedTuple):
    """What a picture's file says of itself; `text` and `parameters` are empty when nobody described it."""

    width: int
    height: int
    text: str
    parameters: Mapping[str, Any]


def describe(file: BinaryIO) -> Described:
    """Read a file's head; no pixel is decoded. Raises OSError for what is no picture."""
    with Image.open(file) as image:
        text, values = str(image.info.get(TEXT_KEY, "")), str(image.info.get(JSON_KEY, ""))
        return Described(image.width, image.height, text, _parsed(values))


def _parsed(text: str) -> Mapping[str, Any]:
    try:
        values = json.loads(text)
    except ValueError:
        return {}
    return values if isinstance(values, dict) else {}
