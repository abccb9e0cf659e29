"""PNG files that carry how they were made, as text for people and as JSON for programs. Imports no torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from PIL import Image, PngImagePlugin

TEXT_KEY = "parameters"
JSON_KEY = "aigc"

# zlib levels 6 and up cost several times the time for about one percent of the size of such pictures.
_COMPRESS_LEVEL = 4

# How the JSON names appear in the one text form that the image tools of this world read from each other.
_TEXT_NAMES = {
    "steps": "Steps",
    "scheduler": "Sampler",
    "guidance": "CFG scale",
    "seed": "Seed",
    "size": "Size",
    "model": "Model",
    "strength": "Denoising strength",
    "mode": "Mode",
}


@dataclass(frozen=True, slots=True)
class PngParameters:
    """What a PNG says about how it was made; both are empty in a file that nobody described."""

    text: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)


def write_png(image: Image.Image, values: Mapping[str, Any]) -> bytes:
    """The image as PNG, with `values` as JSON in the chunk `aigc` and as text in the chunk `parameters`.

    `values` is JSON data; the text form reads `prompt`, `negative_prompt`, `steps`, `scheduler`, `guidance`,
    `seed`, `width`, `height`, `model`, `strength` and `mode` from it, each if it is there.
    """
    chunks = PngImagePlugin.PngInfo()
    # Latin-1 text becomes a tEXt chunk, which every reader knows; other text an iTXt chunk in UTF-8.
    chunks.add_text(TEXT_KEY, parameters_text(values))
    chunks.add_itxt(JSON_KEY, json.dumps(values, ensure_ascii=False, separators=(",", ":")))
    file = BytesIO()
    image.save(file, "PNG", pnginfo=chunks, compress_level=_COMPRESS_LEVEL)
    return file.getvalue()


def read_parameters(data: bytes) -> PngParameters:
    """What `write_png` put into the file. Raises ValueError for bytes that are no PNG.

    A file of another tool gives its `parameters` text and no values.
    """
    try:
        with Image.open(BytesIO(data), formats=["PNG"]) as image:
            # `info` holds the chunks before the pixels, where write_png puts them: no pixel is decoded here.
            text, values = image.info.get(TEXT_KEY, ""), image.info.get(JSON_KEY, "")
    except (OSError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(f"not a readable PNG file: {error}") from error
    return PngParameters(text=str(text), values=_parsed(str(values)))


def parameters_text(values: Mapping[str, Any]) -> str:
    """The prompt, the negative prompt, and one line `Steps: 20, Sampler: euler_a, ...`."""
    size = f"{values['width']}x{values['height']}" if {"width", "height"} <= values.keys() else None
    known = {**values, "size": size}
    facts = [
        f"{title}: {_quoted(known[name])}"
        for name, title in _TEXT_NAMES.items()
        if known.get(name) is not None
    ]
    negative = values.get("negative_prompt")
    lines = [
        str(values.get("prompt", "")),
        f"Negative prompt: {negative}" if negative else "",
        ", ".join(facts),
    ]
    return "\n".join(line for line in lines if line)


def _quoted(value: object) -> str:
    """The value, in JSON quotes where its commas, colons or line ends would read as the next fact."""
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return json.dumps(text, ensure_ascii=False) if any(mark in text for mark in ",:\n") else text


def _parsed(text: str) -> Mapping[str, Any]:
    try:
        values = json.loads(text)
    except ValueError:
        return {}
    return values if isinstance(values, dict) else {}
