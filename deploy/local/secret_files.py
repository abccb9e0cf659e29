"""Secrets that are made once and kept in the data folder, readable by their owner only."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def keep_secret(file: Path) -> str:
    """The secret in `file`, made on first use. The caller holds the folder's lock."""
    if not file.exists():
        write_private(file, secrets.token_urlsafe(48))
    return file.read_text(encoding="ascii").strip()


def write_private(file: Path, text: str) -> None:
    """Replace `file` in one step by one that only its owner may read."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as output:
        output.write(text)
    draft.replace(file)
