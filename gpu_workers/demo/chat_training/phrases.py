"""The phrases that the grammars are made of: the TOML files in `phrases/`."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).with_name("phrases")


def phrases(name: str) -> dict[str, Any]:
    """What `phrases/NAME.toml` holds."""
    return tomllib.loads((_FOLDER / f"{name}.toml").read_text())
