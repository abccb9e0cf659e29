"""What the start-up says on the terminal: one line per step, with its progress and its time."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

HEARTBEAT_S = 10.0  # how often a long step speaks where the line cannot be redrawn (a pipe, CI)
POLL_S = 0.2
TAIL_BYTES = 8192
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def say(text: str) -> None:
    """One line to the person who started us."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


class Step:
    """A step that may take long: shows its latest detail while it runs and its time when it ends."""

    def __init__(self, title: str) -> None:
        self.title = title
        self._live = sys.stdout.isatty()
        self._began = self._spoke = time.monotonic()
        self._result = ""

    def __enter__(self) -> Self:
        self._began = self._spoke = time.monotonic()
        self._draw("")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        mark = "✓" if kind is None else "✗"
        result = f": {self._result}" if self._result and kind is None else ""
        self._clear()
        say(f"{mark} {self.title}{result} ({self.seconds:.1f} s)")

    @property
    def seconds(self) -> float:
        """How long the step has run."""
        return time.monotonic() - self._began

    def update(self, detail: str) -> None:
        """Show what is going on now."""
        if self._live:
            self._draw(detail)
        elif time.monotonic() - self._spoke >= HEARTBEAT_S:
            self._spoke = time.monotonic()
            say(f"  {self.title}, {self.seconds:.0f} s: {detail}")

    def result(self, text: str) -> None:
        """What the closing line says beside the time."""
        self._result = text

    def _draw(self, detail: str) -> None:
        if self._live:
            width = shutil.get_terminal_size().columns - 1
            line = f"… {self.title} {self.seconds:.0f} s  {detail}"
            sys.stdout.write("\r\x1b[2K" + line[:width])
            sys.stdout.flush()

    def _clear(self) -> None:
        if self._live:
            sys.stdout.write("\r\x1b[2K")


class CommandFailed(Exception):
    """A program ended with an error; `tail` is the end of what it said."""

    def __init__(self, command: Sequence[str], code: int, tail: str, log: Path) -> None:
        super().__init__(f"`{' '.join(command[:3])} …` ended with code {code}")
        self.code, self.tail, self.log = code, tail, log


def run_logged(
    step: Step, command: Sequence[str], *, log: Path, environ: Mapping[str, str], folder: Path
) -> None:
    """Run a program with its output in `log`, its last line shown as progress. Raises CommandFailed."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environ,
            cwd=folder,
        )
        try:
            while process.poll() is None:
                step.update(last_line(log))
                time.sleep(POLL_S)
        finally:
            if process.poll() is None:  # Ctrl-C: the program got it too; never leave it behind
                process.terminate()
                process.wait(timeout=10)
    if process.returncode:
        raise CommandFailed(command, process.returncode, tail(log), log)


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a file that may be large, without the colours that some programs insist on."""
    with log.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - TAIL_BYTES))
        text = COLOUR.sub("", file.read().decode(errors="replace"))
    return "\n".join(text.splitlines()[-lines:])


def last_line(log: Path) -> str:
    """The last line with something in it, as progress."""
    return next((line.strip() for line in reversed(tail(log).splitlines()) if line.strip()), "")
