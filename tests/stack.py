"""The product as real processes for a test: Redis, web, cpu worker, beat and gpu workers, each to kill or pause."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from deploy.local.redis_server import RedisServer

ROOT = Path(__file__).resolve().parents[1]
PEOPLE = ("ada@example.org", "grace@example.org", "alan@example.org")
PASSWORD = "a long enough password"
READY_S = 60.0
# Shorter than the product's own, so that tests of recovery do not wait.
QUICK_TIMING = {"AIGC_DRAIN_S": "3", "AIGC_LEASE_S": "5", "AIGC_SWEEP_S": "1"}
PREPARE = f"""
import io, json
from django.core.management import call_command
call_command("migrate", verbosity=0)
call_command("seed_catalog", stdout=io.StringIO())
from apps.accounts.services import create_user
keys = {{}}
for email in {PEOPLE!r}:
    create_user(email=email, password={PASSWORD!r})
    said = io.StringIO()
    call_command("create_api_key", email, name="test", stdout=said)
    keys[email] = said.getvalue().split()[-1]
print(json.dumps(keys))
"""


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Stack:
    """Real processes over one data folder; every process by name. An empty `timing` is the product's own."""

    def __init__(
        self,
        folder: Path,
        extra: Mapping[str, str] | None = None,
        *,
        timing: Mapping[str, str] = QUICK_TIMING,
    ) -> None:
        self.folder = folder
        self.redis = RedisServer.start(folder / "redis")
        self.env = {
            **os.environ,
            "AIGC_ENV": "test",
            "AIGC_DATA_DIR": str(folder),
            # Without a trained model the demos are tiny random networks: quick, and they write until they are stopped.
            "AIGC_DEMO_MODELS_DIR": str(folder / "no-demos"),
            "AIGC_REDIS_URL": self.redis.url,
            "AIGC_SECRET_KEY": secrets.token_hex(32),
            "AIGC_LOG_FORMAT": "console",
            "DJANGO_SETTINGS_MODULE": "aigc.settings",
            "OMP_NUM_THREADS": "1",
            "PYTHONUNBUFFERED": "1",
            **timing,
            **(extra or {}),
        }
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._commands: dict[str, list[str]] = {}
        self.ports: dict[str, int] = {}
        self.keys: dict[str, str] = {}
        self._prepare()

    # --- starting

    def _prepare(self) -> None:
        """Tables, catalogue, people and their keys, in one process: each start of Django costs seconds."""
        said = self.manage("shell", "-c", PREPARE)
        self.keys = {email.partition("@")[0]: key for email, key in json.loads(said.splitlines()[-1]).items()}

    def manage(self, *arguments: str) -> str:
        """Run a management command; its output."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start_web(self, name: str = "web") -> str:
        """Start a web process; its base URL, once it answers."""
        port = self.ports[name] = free_port()
        self._start(
            name, ["aigc.web_server", "-b", "127.0.0.1", "-p", str(port), *FRAMES, "aigc.asgi:application"]
        )
        self.wait_for_web(name)
        return self.url(name)

    def start_cpu(self, name: str = "cpu") -> None:
        """Start a cpu worker."""
        self._start(name, ["celery", "-A", "aigc", "worker", "-Q", "cpu", "-P", "threads", "-c", "4", *QUIET])

    def start_beat(self) -> None:
        """Start beat."""
        self._start(
            "beat", ["celery", "-A", "aigc", "beat", "-s", str(self.folder / "beat"), "-l", "warning"]
        )

    def start_gpu(self, name: str = "gpu", *, media: str = "chat,image,voice", slots: int = 16) -> None:
        """Start a gpu worker and wait until it says that it lives."""
        options = ["-P", "threads", "-Q", media, "-c", str(slots), "-n", f"{name}@%h"]
        self._start(name, ["celery", "-A", "gpu_workers.app", "worker", *options, *QUIET])

    def start_all(self) -> None:
        """One of each, ready."""
        self.start_cpu()
        self.start_beat()
        self.start_gpu()
        self.start_web()
        self.wait_ready()

    def _start(self, name: str, command: list[str]) -> None:
        self._commands[name] = command
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=ROOT,
                env=self.env,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def restart(self, name: str) -> None:
        """Start a process that ended again, as the supervisor would."""
        self._start(name, self._commands[name])
        if name in self.ports:
            self.wait_for_web(name)

    # --- looking

    def url(self, name: str = "web") -> str:
        """The base URL of a web process."""
        return f"http://127.0.0.1:{self.ports[name]}"

    def wait_for_web(self, name: str = "web") -> None:
        """Until /healthz answers."""
        self._wait(lambda: _answers(f"{self.url(name)}/healthz"), f"{name} to answer", name)

    def wait_ready(self, name: str = "web") -> None:
        """Until /readyz is green."""
        self._wait(lambda: _answers(f"{self.url(name)}/readyz"), "/readyz to be green", name)

    def _wait(self, is_so: object, what: str, name: str) -> None:
        deadline = time.monotonic() + READY_S
        while not is_so():  # type: ignore[operator]
            assert time.monotonic() < deadline, f"waited {READY_S} s for {what}:\n{self.log(name)}"
            time.sleep(0.05)

    def log(self, name: str) -> str:
        """The end of a process's output."""
        return (self.folder / f"{name}.log").read_text(errors="replace")[-4000:]

    # --- harming

    def pid(self, name: str) -> int:
        """The process id."""
        return self.processes[name].pid

    def kill(self, name: str) -> None:
        """kill -9."""
        self.processes[name].kill()
        self.processes[name].wait()

    def pause(self, name: str) -> None:
        """SIGSTOP."""
        self.processes[name].send_signal(signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """SIGCONT."""
        self.processes[name].send_signal(signal.SIGCONT)

    def terminate(self, name: str, timeout_s: float = 20) -> int:
        """SIGTERM; the exit code."""
        self.processes[name].terminate()
        return self.processes[name].wait(timeout=timeout_s)

    def heal(self) -> None:
        """Start again what a test left dead, and let go on what it left paused."""
        for name, process in self.processes.items():
            if process.poll() is not None:
                self.restart(name)
            else:
                self.resume(name)
        if "web" in self.ports:
            self.wait_ready()

    def stop(self) -> None:
        """End everything."""
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
        for process in self.processes.values():
            process.wait()
        self.redis.stop()


# Frames above our own limit must reach us, so that they are answered instead of cutting the socket.
FRAMES = ["--websocket-max-message-size", "16777216", "--websocket-max-frame-size", "16777216"]
QUIET = ["--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "warning"]


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=5) as answer:  # noqa: S310  our own address
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False
