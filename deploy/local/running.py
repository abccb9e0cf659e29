"""Whether the processes that `tied.py` started still live, by the lock on their pid files."""

from __future__ import annotations

import fcntl
import os
import signal
from pathlib import Path


def is_running(pid_file: Path) -> bool:
    """Whether the program that this pid file was given to lives."""
    try:
        descriptor = os.open(pid_file, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)


def pid_of(pid_file: Path) -> int | None:
    """The process id, while it runs."""
    text = pid_file.read_text(encoding="ascii").strip() if is_running(pid_file) else ""
    return int(text) if text.isdigit() else None


def kill_group(pid_file: Path) -> None:
    """SIGKILL to a program that would not end, and to what it started: it leads its own process group."""
    pid = pid_of(pid_file)
    if pid is None:
        return
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
