"""Reads an Ollama Modelfile (https://docs.ollama.com/modelfile): what an assistant takes of it, and what it cannot."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

_INSTRUCTION = re.compile(r"\s*([A-Za-z]+)(?:[ \t]+(.*))?$")
_QUOTES = '"""'
_ROLES = ("system", "user", "assistant")
# Ollama's names of what a chat job takes, and how their values are read.
_PARAMETERS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "temperature": ("temperature", float),
    "top_p": ("top_p", float),
    "top_k": ("top_k", int),
    "repeat_penalty": ("repetition_penalty", float),
    "seed": ("seed", int),
    "num_predict": ("max_tokens", int),
    "stop": ("stop", str),
}
_UNUSED = {
    "TEMPLATE": "the model's own chat template is used",
    "ADAPTER": "adapters belong to the model's entry in the catalogue",
    "LICENSE": "it is not kept",
    "REQUIRES": "it names a version of Ollama",
}


@dataclass(frozen=True, slots=True)
class Note:
    """What was not taken over, by the line where it stands."""

    line: int
    message: str


@dataclass(slots=True)
class Modelfile:
    """What was read; `opening` are the turns of MESSAGE."""

    model: str = ""
    model_line: int = 0
    system: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    opening: list[dict[str, str]] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)


def read_modelfile(text: str) -> Modelfile:
    """Everything that can be used; each line that cannot is in `notes` with its number."""
    found = Modelfile()
    for line, name, value in _instructions(text, found.notes):
        fault = _take(found, name, value)
        if name == "FROM":
            found.model_line = line
        if fault:
            found.notes.append(Note(line, fault))
    found.notes.sort(key=lambda note: note.line)
    return found


def _instructions(text: str, notes: list[Note]) -> Iterator[tuple[int, str, str]]:
    """Line number, name in capitals and value of each instruction; a value in triple quotes may have many lines."""
    lines = iter(enumerate(text.splitlines(), start=1))
    for number, line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _INSTRUCTION.match(line)
        if match is None:
            notes.append(Note(number, f"{_short(line)!r} is no instruction."))
            continue
        value = (match[2] or "").strip()
        role, quote, rest = value.partition(_QUOTES)
        if quote and role.strip().lower() in ("", *_ROLES):
            value = role + _until_quotes(rest, lines)
        yield number, match[1].upper(), value


def _until_quotes(begun: str, lines: Iterator[tuple[int, str]]) -> str:
    """The text up to the closing quotes, which may be missing at the end of the file."""
    parts = [begun]
    while _QUOTES not in parts[-1]:
        _, line = next(lines, (0, _QUOTES))
        parts.append(line)
    parts[-1] = parts[-1].partition(_QUOTES)[0]
    return "\n".join(parts).strip()


def _take(found: Modelfile, name: str, value: str) -> str:
    """Take an instruction over; else say why it was left out."""
    if name in _UNUSED:
        return f"{name} is not used: {_UNUSED[name]}."
    if not value:
        return f"{name} says nothing."
    match name:
        case "FROM":
            found.model = value
        case "SYSTEM":
            found.system = _unquoted(value)
        case "PARAMETER":
            return _take_parameter(found.params, value)
        case "MESSAGE":
            return _take_message(found.opening, value)
        case _:
            return f"{_short(name)!r} is no instruction."
    return ""


def _take_parameter(params: dict[str, Any], value: str) -> str:
    name, _, written = value.partition(" ")
    if name.lower() not in _PARAMETERS:
        return f"PARAMETER {_short(name)} is not used here."
    ours, read = _PARAMETERS[name.lower()]
    try:
        setting = read(_unquoted(written.strip()))
    except ValueError:
        return f"PARAMETER {name} needs a number, not {_short(written)!r}."
    if ours == "stop":
        params.setdefault("stop", []).append(setting)
    else:
        params[ours] = setting
    return ""


def _take_message(opening: list[dict[str, str]], value: str) -> str:
    role, _, content = value.partition(" ")
    if role.lower() not in _ROLES:
        return f"MESSAGE begins with one of {', '.join(_ROLES)}, not {_short(role)!r}."
    if not content.strip():
        return "MESSAGE says nothing."
    opening.append({"role": role.lower(), "content": _unquoted(content.strip())})
    return ""


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def _short(text: str) -> str:
    return text.strip()[:40]
