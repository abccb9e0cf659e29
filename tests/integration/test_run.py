"""`make run` as a person has it: one start, kills, a second launcher, Ctrl-C; and its supervision by itself."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis

from deploy.local import readiness
from deploy.local.launcher import Running
from deploy.local.options import read_options
from deploy.local.processes import Folders, Process
from deploy.local.redis_server import RedisServer
from deploy.local.running import is_running, pid_of
from deploy.local.trouble import Trouble

ROOT = Path(__file__).resolve().parents[2]
START_S = 120.0
# One gpu process for all media: three more would only cost the small test machine time.
NAMES = ["redis", "web", "cpu", "beat", "gpu-chat-image-voice"]
LAUNCHER = [sys.executable, "-m", "deploy.local.launcher"]


def wait_until(condition: Callable[[], bool], timeout_s: float, what: Callable[[], str] = str) -> float:
    """Seconds until the condition held."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < timeout_s, what()
        time.sleep(0.05)
    return time.monotonic() - began


def plain_environment(data: Path, **more: str) -> dict[str, str]:
    """The environment of somebody who has set nothing but this."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIGC_", "DJANGO_"))}
    workers = {"AIGC_GPU_WORKERS": "chat+image+voice"}
    return {**kept, "AIGC_DATA_DIR": str(data), "PORT": str(unused_port()), **workers, **more}


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Run:
    """A running launcher and what it has said."""

    process: subprocess.Popen[bytes]
    data: Path
    environ: dict[str, str]
    output: Path

    @classmethod
    def start(cls, data: Path, **more: str) -> Run:
        environ = plain_environment(data, **more)
        output = data.with_suffix(".out")
        with output.open("wb") as file:
            process = subprocess.Popen(
                LAUNCHER, cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, stdout=file, stderr=file
            )
        run = cls(process, data, environ, output)
        wait_until(lambda: "is ready" in run.said() or process.poll() is not None, START_S, run.said)
        assert process.poll() is None, run.said()
        return run

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.environ['PORT']}"

    def said(self) -> str:
        return self.output.read_text()

    def pid(self, name: str) -> int | None:
        return pid_of(self.data / "run" / f"{name}.pid")

    def anything_runs(self) -> bool:
        return any(map(is_running, (self.data / "run").glob("*.pid")))

    def is_ready(self) -> bool:
        return readiness.ask(self.address).ready

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(timeout=20)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    running = Run.start(tmp_path_factory.mktemp("run") / "data")
    yield running
    running.end()


@pytest.mark.processes
def test_it_prints_the_address_and_a_link_that_opens(run: Run) -> None:
    assert f"AIGC Studio is ready: {run.address}" in run.said()
    link = next(word for word in run.said().split() if "/welcome/" in word)
    assert link.startswith(run.address)
    connection = http.client.HTTPConnection("127.0.0.1", int(run.environ["PORT"]), timeout=10)
    connection.request("GET", link.removeprefix(run.address))
    assert connection.getresponse().status in (200, 503)  # 503: the page is not built here, and says so
    connection.close()
    assert link not in (run.data / "logs" / "prepare.log").read_text()


@pytest.mark.processes
def test_nobody_else_on_the_machine_can_read_the_data(run: Run) -> None:
    assert stat.S_IMODE(run.data.stat().st_mode) == 0o700
    for name in ("secret.key", "redis/password", "redis/redis.conf", "run/supervisord.conf"):
        assert stat.S_IMODE((run.data / name).stat().st_mode) == 0o600
    password = (run.data / "redis" / "password").read_text()
    commands = subprocess.run(
        ["ps", "axww", "-o", "args="], capture_output=True, text=True, check=True
    ).stdout
    assert password not in commands


@pytest.mark.processes
@pytest.mark.parametrize("name", NAMES)
def test_what_is_killed_is_back_within_five_seconds(run: Run, name: str) -> None:
    before = run.pid(name)
    assert before is not None
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: run.pid(name) not in (None, before), 5.0, run.said)
    wait_until(run.is_ready, 60.0, run.said)
    wait_until(lambda: f"{name} is back (process {run.pid(name)})" in run.said(), 5.0, run.said)


@pytest.mark.processes
def test_a_second_launcher_on_the_same_data_ends_with_a_sentence(run: Run) -> None:
    second = subprocess.run(LAUNCHER, cwd=ROOT, env=run.environ, capture_output=True, text=True, check=False)
    assert second.returncode == 1
    assert f"already runs on {run.data} (process {run.process.pid})" in second.stdout


@pytest.mark.processes
def test_a_used_port_ends_with_a_sentence(run: Run, tmp_path: Path) -> None:
    environ = {**run.environ, "AIGC_DATA_DIR": str(tmp_path / "other")}
    second = subprocess.run(LAUNCHER, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert second.returncode == 1
    assert f"Port {run.environ['PORT']} on 127.0.0.1 is in use" in second.stdout
    assert "Traceback" not in second.stdout + second.stderr


@pytest.mark.processes
def test_ctrl_c_ends_everything_within_ten_seconds_and_the_data_stay(run: Run) -> None:
    """Last of those that share the run, for it ends it."""
    key = (run.data / "secret.key").read_text()
    began = time.monotonic()
    run.process.send_signal(signal.SIGINT)
    assert run.process.wait(timeout=15) == 0, run.said()
    assert time.monotonic() - began < 10.0
    assert not run.anything_runs()
    assert "AIGC Studio has stopped." in run.said()

    again = Run.start(
        run.data, AIGC_ADMIN_EMAIL="ada@example.org", AIGC_ADMIN_PASSWORD="correct horse battery"
    )
    assert "Made the first admin ada@example.org." in again.said()
    assert (run.data / "secret.key").read_text() == key
    again.process.kill()  # and a killed launcher leaves nothing behind either
    again.process.wait()
    if sys.platform == "linux":
        wait_until(lambda: not again.anything_runs(), 15.0, again.said)


def test_wrong_settings_are_told_without_a_traceback(tmp_path: Path) -> None:
    environ = plain_environment(tmp_path / "data", AIGC_DATABASE_URL="mongodb://nowhere")
    done = subprocess.run(
        LAUNCHER, cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert "AIGC_DATABASE_URL is not usable" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert not any(map(is_running, (tmp_path / "data" / "run").glob("*.pid")))


def test_a_redis_that_does_not_answer_is_named_without_its_password(tmp_path: Path) -> None:
    environ = plain_environment(
        tmp_path / "data", AIGC_REDIS_URL=f"redis://:secret@127.0.0.1:{unused_port()}/0"
    )
    done = subprocess.run(
        LAUNCHER, cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert "No Redis answers at redis://127.0.0.1:" in done.stdout
    assert "secret" not in done.stdout + done.stderr


# --- supervision by itself
@pytest.fixture
def supervised(tmp_path: Path) -> Iterator[Callable[..., tuple[Running, Folders]]]:
    started: list[Running] = []

    def start(*programs: Process) -> tuple[Running, Folders]:
        chosen = read_options(ROOT, {"AIGC_DATA_DIR": str(tmp_path)})
        folders = Folders.of(tmp_path)
        started.append(Running(chosen, folders, list(programs), os.environ))
        return started[-1], folders

    yield start
    for running in started:
        running.stop()


def python(name: str, script: str, stop_s: int = 2) -> Process:
    return Process(name, (sys.executable, "-S", "-c", script), stop_s=stop_s, needs_database=False)


def test_a_program_that_always_fails_is_tried_for_ever_at_a_measured_pace(
    supervised: Callable[..., tuple[Running, Folders]],
) -> None:
    _, folders = supervised(python("broken", "print('try', flush=True); raise SystemExit(1)"))
    log = folders.logs / "broken.log"
    # supervisord's own limit would be 3 tries; ours pauses a second between two.
    wait_until(lambda: log.exists() and log.read_text().count("try") >= 5, 20.0)
    assert "FATAL" not in (folders.logs / "supervisor.log").read_text()
    before = log.read_text().count("try")
    time.sleep(2.0)
    assert log.read_text().count("try") - before <= 3


def test_a_program_that_will_not_end_is_killed_with_its_children(
    supervised: Callable[..., tuple[Running, Folders]], tmp_path: Path
) -> None:
    stubborn = (
        "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        f"child = subprocess.Popen(['sleep', '60']); open({str(tmp_path / 'child')!r}, 'w').write(str(child.pid)); "
        "time.sleep(60)"
    )
    running, folders = supervised(python("stubborn", stubborn, stop_s=1))
    wait_until(lambda: (tmp_path / "child").exists() and (tmp_path / "child").read_text() != "", 10.0)
    running.stop()
    assert not is_running(folders.pid_file("stubborn"))
    child = int((tmp_path / "child").read_text())
    wait_until(lambda: not _exists(child), 3.0)


def test_supervision_touches_no_file_outside_its_folder(
    supervised: Callable[..., tuple[Running, Folders]], tmp_path: Path
) -> None:
    """supervisord removes its pid file when it ends: that must never be a device such as /dev/null."""
    running, folders = supervised(python("idle", "import time; time.sleep(60)"))
    wait_until(lambda: is_running(folders.pid_file("idle")), 10.0)
    running.stop()
    config = (folders.run / "supervisord.conf").read_text()
    paths = [
        line.split("=", 1)[1]
        for line in config.splitlines()
        if line.startswith(("pidfile=", "logfile=", "stdout_logfile="))
    ]
    assert len(paths) == 3
    assert all(Path(path).is_relative_to(tmp_path) for path in paths)
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


# --- the embedded Redis by itself
def test_redis_killed_and_restarted_answers_at_the_same_url_with_everything(tmp_path: Path) -> None:
    with RedisServer.start(tmp_path / "redis") as server:
        client = redis.Redis.from_url(server.url)
        client.set("kept", "yes")
        client.xadd("stream", {"n": 1})
        url = server.url
        server.kill()
        with pytest.raises(redis.ConnectionError):
            client.ping()
        server.restart()
        assert server.url == url
        assert client.get("kept") == b"yes"
        assert client.xlen("stream") == 1
        client.close()
    with pytest.raises(Trouble, match="does not run"):
        _ = server.pid


def test_redis_lets_nobody_in_without_the_password(tmp_path: Path) -> None:
    with RedisServer.start(tmp_path / "redis") as server:
        stranger = redis.Redis(port=int(server.url.rsplit(":", 1)[1].split("/")[0]))
        with pytest.raises(redis.AuthenticationError):
            stranger.get("kept")
        stranger.close()


def test_a_redis_that_cannot_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(Trouble, match=r"(?s)did not start:.*maxmemory"):
        RedisServer.start(tmp_path / "redis", maxmemory="lots")
