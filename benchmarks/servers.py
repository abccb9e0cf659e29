"""Server processes that a run of the suite starts and ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from benchmarks.report import ROOT

POLL_S = 0.1
# A proxy of the environment must not stand between this machine and itself.
direct = build_opener(ProxyHandler({}))


class NotStarted(Exception):
    """A server did not come up; the message holds the end of what it said."""


@contextmanager
def serving(
    command: Sequence[str],
    log: Path,
    *,
    is_up: Callable[[], bool],
    within_s: float,
    env: Mapping[str, str] | None = None,
    stop_signal: signal.Signals = signal.SIGTERM,
    stop_s: float = 15.0,
) -> Iterator[int]:
    """Run a server until the block ends; its process id, once `is_up`. Raises NotStarted."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=dict(os.environ if env is None else env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # The terminal's Ctrl-C is for the suite, which then ends its servers in order.
            start_new_session=True,
        )
    try:
        _await(process, is_up, within_s, log)
        yield process.pid
    finally:
        _end(process, stop_signal, stop_s)


def _await(process: subprocess.Popen[bytes], is_up: Callable[[], bool], within_s: float, log: Path) -> None:
    deadline = time.monotonic() + within_s
    while not is_up():
        if process.poll() is not None or time.monotonic() > deadline:
            state = f"ended with {process.returncode}" if process.poll() is not None else "is not up"
            said = log.read_text(errors="replace")[-2000:]
            raise NotStarted(f"{process.args!r} {state} after {within_s:g} s at most. It said:\n{said}")
        time.sleep(POLL_S)


def _end(process: subprocess.Popen[bytes], stop_signal: signal.Signals, stop_s: float) -> None:
    if process.poll() is None:
        process.send_signal(stop_signal)
        try:
            process.wait(stop_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # it leads its own session
            process.wait()


def answers(url: str) -> bool:
    """Whether a GET answers 200."""
    try:
        with direct.open(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def fake_upstream(folder: Path) -> Iterator[tuple[str, int]]:
    """The fake upstream in a process of its own: its base URL, with `/v1`, and its process id."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/v1"
    command = [sys.executable, "-m", "benchmarks.fake_upstream", "--port", str(port)]
    log = folder / "upstream.log"
    with serving(command, log, is_up=lambda: answers(f"{url}/models"), within_s=60) as pid:
        yield url, pid
