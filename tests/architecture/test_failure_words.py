"""Every error code that a person may meet has Chinese words in the page, and none is left over."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from aigc.lib.errors import ErrorCode

ROOT = Path(__file__).resolve().parents[2]
WORDS = ROOT / "frontend/src/i18n/zh/failures.ts"
RAISED = {"EngineError", "SourceError", "TryFailed", "Failed", "Paused"}


def codes() -> Iterator[str]:
    """Of the API, and of jobs: what engines raise and what is written into a job's error."""
    yield from (code.value for code in ErrorCode)
    yield from re.findall(r'"code": "(\w+)"', "".join(_read(file) for file in sources()))
    for file in sources():
        for node in ast.walk(ast.parse(_read(file))):
            if isinstance(node, ast.Call) and _name(node.func) in RAISED:
                yield from _codes_of(node)


def sources() -> Iterator[Path]:
    for folder in ("apps", "gpu_workers"):
        yield from (file for file in (ROOT / folder).rglob("*.py") if "migrations" not in file.parts)


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def _name(function: ast.expr) -> str:
    return getattr(function, "id", getattr(function, "attr", ""))


def _codes_of(call: ast.Call) -> Iterator[str]:
    named = [keyword.value for keyword in call.keywords if keyword.arg == "code"]
    for value in (*named, *call.args[:1]):
        for node in ast.walk(value):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def test_every_code_has_its_words() -> None:
    worded = set(re.findall(r"^  (\w+): \"", _read(WORDS), re.MULTILINE))
    assert worded == set(codes())
