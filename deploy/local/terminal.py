"""What the running processes say on the terminal: warnings and errors only, each behind its process's name.

The whole of it is in the log files; this reads those files as they grow and as they are rotated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

READ_BYTES = 256 * 1024
SHOWN_LEVELS = {"warning", "error", "critical", "exception", "fatal"}
LEVEL = re.compile(
    r"\[(?:warning|error|critical)\s*\]"  # structlog
    r"|(?:^|[:\s\[])(?:WARNING|ERROR|CRITICAL|FATAL)[:/\]\s]"  # the standard library, Celery, uvicorn
    r"|^Error: "  # a command line that was refused
)
# Redis and Valkey mark a warning by a # between date and text.
REDIS_WARNING = re.compile(r"^\d+:[A-Z] \d+ \w+ \d{4} [\d:.]+ # (?P<text>.*)")
# Advice about the machine's kernel that is no concern of a person who tries the product.
PORT_TAKEN = re.compile(r"address already in use", re.IGNORECASE)
REDIS_ADVICE = ("overcommit", "Transparent Huge Pages", "TCP backlog", "no config file specified")
SUPERVISOR_EXIT = re.compile(r"WARN exited: (?P<name>[\w-]+) \((?P<how>.*?);? not expected\)")
SUPERVISOR_SPAWN = re.compile(r"INFO spawned: '(?P<name>[\w-]+)' with pid (?P<pid>\d+)")


@dataclass
class LogFollower:
    """Follows the log of one process from where it ends now."""

    name: str
    path: Path
    _position: int = 0
    _inode: int = 0
    _rest: str = ""
    _in_traceback: bool = False

    def __post_init__(self) -> None:
        if self.path.exists():
            status = self.path.stat()
            self._position, self._inode = status.st_size, status.st_ino

    def new_lines(self) -> list[str]:
        """Whole lines that were written since the last call; what was rotated away in between is skipped."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return []
        if status.st_ino != self._inode or status.st_size < self._position:
            self._position, self._inode, self._rest = 0, status.st_ino, ""
        if status.st_size == self._position:
            return []
        with self.path.open("rb") as file:
            file.seek(self._position)
            data = file.read(READ_BYTES)
        self._position += len(data)
        *lines, self._rest = (self._rest + data.decode(errors="replace")).split("\n")
        return lines

    def warnings(self) -> Iterator[str]:
        """The new lines worth showing, with the traceback that follows an error."""
        for line in self.new_lines():
            if self._in_traceback and is_traceback(line):
                yield line
                continue
            self._in_traceback = False
            text = warning_in(line)
            if text:
                self._in_traceback = True
                yield text


def warning_in(line: str) -> str:
    """The text to show of a log line, or nothing when it is below a warning."""
    if line.startswith("{"):
        return _json_warning(line)
    if "DeprecationWarning" in line:  # a matter for developers, and the tests make errors of ours
        return ""
    redis = REDIS_WARNING.match(line)
    if redis:
        text = redis["text"]
        return "" if any(word in text for word in REDIS_ADVICE) else text
    if line.startswith("Traceback (most recent call last)"):
        return line
    return line.rstrip() if LEVEL.search(line[:120]) else ""


def is_traceback(line: str) -> bool:
    """Whether the line belongs to a traceback above it."""
    return line.startswith((" ", "\t", "Traceback", "During handling", "The above exception")) or bool(
        re.match(r"[\w.]+(Error|Exception|Interrupt|Exit|Timeout|Trouble)\b", line)
    )


def _json_warning(line: str) -> str:
    try:
        entry = json.loads(line)
    except json.JSONDecodeError:
        return ""
    if not isinstance(entry, dict) or str(entry.get("level", "")).lower() not in SHOWN_LEVELS:
        return ""
    return f"{entry.get('level')}: {entry.get('event', entry.get('message', line))}"


@dataclass
class SupervisorStory:
    """Retells supervisord's log: which process ended, and that it is back."""

    _ended: set[str] = field(default_factory=set)

    def retell(self, line: str) -> str:
        """A sentence for the person, or nothing."""
        ended = SUPERVISOR_EXIT.search(line)
        if ended:
            self._ended.add(ended["name"])
            return f"{ended['name']} ended ({ended['how']}); starting it again"
        spawned = SUPERVISOR_SPAWN.search(line)
        if spawned and spawned["name"] in self._ended:
            self._ended.discard(spawned["name"])
            return f"{spawned['name']} is back (process {spawned['pid']})"
        return ""
