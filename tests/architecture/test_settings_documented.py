"""Every AIGC_* variable has its row in docs/settings.md and its line in .env.example; none is left over."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("aigc", "apps", "gpu_workers", "deploy")
FILES = ("compose.yaml", "Makefile", ".ci/run", "tests/conftest.py")
SUFFIXES = {".py", ".sh", ".yaml", ""}
NAME = re.compile(r"\bAIGC_[A-Z0-9_]*[A-Z0-9]\b")
ROW = re.compile(
    r"^\| `(?P<name>\w+)` \| (?P<default>[^|]+) \| (?P<readers>[^|]+) \| (?P<what>.+) \|$", re.MULTILINE
)
EXAMPLE = re.compile(r"^# (?P<name>[A-Z][A-Z0-9_]*)=", re.MULTILINE)
NOT_AIGC = {"PORT", "HOST"}


def used() -> set[str]:
    names: set[str] = set()
    for file in _sources():
        names.update(NAME.findall(file.read_text(encoding="utf-8")))
    return names


def _sources() -> Iterator[Path]:
    for folder in FOLDERS:
        for file in (ROOT / folder).rglob("*"):
            if file.is_file() and file.suffix in SUFFIXES and "__pycache__" not in file.parts:
                yield file
    yield from (ROOT / name for name in FILES)


def documented() -> dict[str, re.Match[str]]:
    text = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
    return {row["name"]: row for row in ROW.finditer(text)}


def test_the_search_finds_settings_at_all() -> None:
    assert {"AIGC_REDIS_URL", "AIGC_CHAT_SLOTS", "AIGC_PUBLISH"} <= used()


def test_every_setting_in_the_code_is_documented() -> None:
    assert sorted(used() - set(documented())) == []


def test_every_documented_setting_is_in_the_code() -> None:
    assert sorted(set(documented()) - used() - NOT_AIGC) == []


def test_each_setting_is_documented_once() -> None:
    text = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
    names = [row["name"] for row in ROW.finditer(text)]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("name", sorted(documented()))
def test_each_row_says_something(name: str) -> None:
    row = documented()[name]
    assert row["default"].strip()
    assert row["readers"].strip()
    assert row["what"].endswith(".")
    assert len(row["what"]) > 10


def test_the_example_file_has_the_same_names() -> None:
    example = EXAMPLE.findall((ROOT / ".env.example").read_text(encoding="utf-8"))
    wanted = {name for name in documented() if not name.startswith("AIGC_TEST_")}
    assert sorted(example) == sorted(wanted)


def test_the_example_file_sets_nothing_by_itself() -> None:
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == []
