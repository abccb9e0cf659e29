"""The parts of `make run`: choices, checks and their sentences, supervision, the terminal."""

from __future__ import annotations

import configparser
import json
import os
import shlex
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deploy.local.checks import check_data_folder, check_disk, check_platform, check_port
from deploy.local.console import CommandFailed, Step, run_logged
from deploy.local.environment import explain_install, requirement_files, torch_backends
from deploy.local.lock import LauncherLock
from deploy.local.options import Options, read_dotenv, read_options
from deploy.local.processes import NOT_FOR_GPU, Folders, environment, processes, write_supervisor_config
from deploy.local.redis_server import PORTS, find_program, free_port, without_password, write_config
from deploy.local.running import is_running, kill_group, pid_of
from deploy.local.secret_files import keep_secret
from deploy.local.terminal import LogFollower, SupervisorStory, warning_in
from deploy.local.trouble import Trouble

ROOT = Path(__file__).resolve().parents[2]
TIED = ROOT / "deploy/local/tied.py"


def options(tmp_path: Path, **environ: str) -> Options:
    return read_options(ROOT, {"AIGC_DATA_DIR": str(tmp_path), **environ})


# --- choices
def test_nothing_chosen_gives_the_documented_defaults() -> None:
    chosen = read_options(ROOT, {})
    assert (chosen.host, chosen.port, chosen.data) == ("127.0.0.1", 8000, ROOT / "data")
    assert [(worker.name, worker.slots) for worker in chosen.gpu_workers] == [
        ("gpu-chat", 64),
        ("gpu-image", 8),
        ("gpu-voice", 16),
    ]


def test_one_gpu_process_can_serve_several_media(tmp_path: Path) -> None:
    worker, other = options(tmp_path, AIGC_GPU_WORKERS="chat+voice,image", AIGC_VOICE_SLOTS="2").gpu_workers
    assert (worker.name, worker.media, worker.slots) == ("gpu-chat-voice", ("chat", "voice"), 66)
    assert other.media == ("image",)
    assert options(tmp_path, AIGC_GPU_WORKERS="none").gpu_workers == ()


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("PORT", "eight", "PORT=eight must be a whole number from 1 to 65535"),
        ("PORT", "70000", "PORT=70000 must be a whole number from 1 to 65535"),
        ("AIGC_CHAT_SLOTS", "0", "AIGC_CHAT_SLOTS=0 must be a whole number from 1"),
        ("AIGC_ASGI_SERVER", "gunicorn", "daphne or uvicorn"),
        ("AIGC_GPU_WORKERS", "chat,video", "'video' is no medium"),
        ("AIGC_GPU_WORKERS", "chat,chat", "names chat twice"),
    ],
)
def test_a_wrong_choice_is_named_with_what_would_be_right(name: str, value: str, sentence: str) -> None:
    with pytest.raises(Trouble, match=sentence):
        read_options(ROOT, {name: value})


def test_a_wildcard_host_is_reached_by_the_loopback_address(tmp_path: Path) -> None:
    assert options(tmp_path, HOST="0.0.0.0", PORT="9000").address == "http://127.0.0.1:9000"  # noqa: S104
    assert options(tmp_path, HOST="::1").address == "http://[::1]:8000"


def test_dotenv_gives_names_and_values_and_names_a_bad_line(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    assert read_dotenv(file) == {}
    file.write_text("# note\n\nexport PORT=9001\nAIGC_ADMIN_EMAIL='a@example.org'\nAIGC_X=a=b # kept\n")
    assert read_dotenv(file) == {"PORT": "9001", "AIGC_ADMIN_EMAIL": "a@example.org", "AIGC_X": "a=b # kept"}
    file.write_text("PORT 9001\n")
    with pytest.raises(Trouble, match="line 1: `PORT 9001` is not NAME=value"):
        read_dotenv(file)


# --- checks
def test_a_used_port_is_named_with_the_next_one_to_try(tmp_path: Path) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        with pytest.raises(Trouble, match=rf"Port {port} .* is in use .* make run PORT="):
            check_port(options(tmp_path, PORT=str(port)))
    check_port(options(tmp_path, PORT=str(port)))


def test_an_address_of_another_machine_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Trouble, match=r"HOST=192\.0\.2\.1 is not an address of this machine"):
        check_port(options(tmp_path, HOST="192.0.2.1"))


def test_the_data_folder_is_made_for_its_owner_only(tmp_path: Path) -> None:
    check_data_folder(tmp_path / "new" / "data")
    assert stat.S_IMODE((tmp_path / "new" / "data").stat().st_mode) == 0o700


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Trouble, match=r"data folder .*file/data cannot be written .* AIGC_DATA_DIR="):
        check_data_folder(tmp_path / "file" / "data")


def test_a_full_disk_is_told_with_what_is_needed(tmp_path: Path) -> None:
    check_disk(tmp_path / "not" / "there" / "yet", 1)
    with pytest.raises(Trouble, match=r"GB free; 1000000000\.0 GB are needed"):
        check_disk(tmp_path, 10**18)


def test_windows_is_sent_to_wsl(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(Trouble, match="WSL 2"):
        check_platform()


def test_a_second_launcher_on_one_folder_is_refused_and_the_first_named(tmp_path: Path) -> None:
    with (
        LauncherLock(tmp_path),
        pytest.raises(Trouble, match=rf"already runs on .* \(process {os.getpid()}\)"),
        LauncherLock(tmp_path),
    ):
        pass
    with LauncherLock(tmp_path):  # free again
        pass


def test_a_secret_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    file = tmp_path / "run" / "secret"
    secret = keep_secret(file)
    assert len(secret) >= 50
    assert keep_secret(file) == secret
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["secret"]


# --- the environment
def test_the_cpu_build_is_tried_only_where_it_helps() -> None:
    linux = sys.platform == "linux"
    assert torch_backends("", has_nvidia=False, has_torch=False) == (["cpu", None] if linux else [None])
    assert torch_backends("", has_nvidia=True, has_torch=False) == [None]
    assert torch_backends("", has_nvidia=False, has_torch=True) == [None]
    assert torch_backends("cu128", has_nvidia=False, has_torch=False) == ["cu128"]
    assert torch_backends("pypi", has_nvidia=False, has_torch=False) == [None]


def test_included_requirement_files_count(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "top.txt").write_text("-r sub/a.txt\n")
    (tmp_path / "sub/a.txt").write_text("-r b.txt\nx==1\n")
    (tmp_path / "sub/b.txt").write_text("y==1\n")
    assert [file.name for file in requirement_files(tmp_path / "top.txt")] == ["top.txt", "a.txt", "b.txt"]


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("error: command 'gcc' failed: No such file or directory", "build-essential"),
        ("failed to write: No space left on device (os error 28)", "The disk is full"),
        ("error sending request for url (https://index/simple/torch/)", "UV_DEFAULT_INDEX"),
        ("x No solution found when resolving dependencies", "3.11 fits best"),
        ("something new", "could not be installed"),
    ],
)
def test_a_failed_installation_is_explained(said: str, sentence: str) -> None:
    text = explain_install(CommandFailed(["uv"], 1, said, Path("setup.log")))
    assert sentence in text
    assert said in text
    assert "setup.log" in text


def test_a_step_shows_its_result_and_keeps_the_output_of_its_program(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "step.log"
    with Step("Counting") as step:
        run_logged(step, [sys.executable, "-c", "print('one')"], log=log, environ=os.environ, folder=tmp_path)
        step.result("one")
    assert log.read_text() == "one\n"
    assert capsys.readouterr().out.startswith("✓ Counting: one (")
    failing = [sys.executable, "-c", "raise SystemExit('no way')"]
    with pytest.raises(CommandFailed) as failure, Step("Failing") as step:
        run_logged(step, failing, log=log, environ=os.environ, folder=tmp_path)
    assert failure.value.tail == "no way"
    assert capsys.readouterr().out.startswith("✗ Failing (")


# --- Redis
def test_the_embedded_redis_keeps_everything_and_lets_nobody_else_in(tmp_path: Path) -> None:
    folder = tmp_path / 'a "quoted" folder'
    config = write_config(folder, maxmemory="64mb")
    text = config.file.read_text()
    for line in ("bind 127.0.0.1", "appendonly yes", "maxmemory 64mb", "maxmemory-policy noeviction"):
        assert f"{line}\n" in text
    assert f"requirepass {config.password}\n" in text
    assert stat.S_IMODE(config.file.stat().st_mode) == 0o600
    assert write_config(folder).password == config.password
    assert config.port in PORTS


def test_a_free_port_is_outside_the_range_of_outgoing_connections() -> None:
    ranges = Path("/proc/sys/net/ipv4/ip_local_port_range")
    lowest = int(ranges.read_text().split()[0]) if ranges.exists() else 49152
    assert free_port() < lowest


def test_an_old_redis_on_the_path_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def put(version: str) -> None:
        program = tmp_path / "redis-server"
        program.write_text(f"#!/bin/sh\necho 'Redis server v={version} sha=0'\n")
        program.chmod(0o755)

    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    put("6.2.14")
    assert find_program() != tmp_path / "redis-server"
    with pytest.raises(Trouble, match=r"AIGC_REDIS_SERVER=redis-server is not .* 7\.0 or later"):
        find_program("redis-server")
    put("7.0.15")
    assert find_program() == tmp_path / "redis-server"
    assert find_program("embedded") != tmp_path / "redis-server"


def test_a_password_is_never_shown() -> None:
    assert without_password("redis://user:secret@host:6379/0") == "redis://host:6379/0"
    assert without_password("redis://host:6379/0") == "redis://host:6379/0"


# --- the supervisor's configuration
def supervisor_config(chosen: Options) -> configparser.RawConfigParser:
    folders = Folders.of(chosen.data)
    file = write_supervisor_config(chosen, folders, processes(chosen, ["redis-server", "redis.conf"]))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    parser = configparser.RawConfigParser()
    parser.read(file)
    return parser


def test_every_process_is_restarted_for_ever(tmp_path: Path) -> None:
    config = supervisor_config(options(tmp_path))
    programs = [section for section in config.sections() if section.startswith("program:")]
    names = [section.removeprefix("program:") for section in programs]
    assert names == ["redis", "web", "cpu", "beat", "gpu-chat", "gpu-image", "gpu-voice"]
    for program in programs:
        # startsecs 0: supervisord would give up for good on a program that ends early a few times.
        assert config[program]["startsecs"] == "0"
        assert config[program]["autorestart"] == "true"
        assert config[program]["killasgroup"] == "true"


def test_redis_ends_after_all_that_need_it_and_all_within_ten_seconds(tmp_path: Path) -> None:
    config = supervisor_config(options(tmp_path))
    group = config["group:app"]
    assert "redis" not in group["programs"].split(",")
    assert int(group["priority"]) > int(config["program:redis"]["priority"])
    longest = max(int(config[f"program:{name}"]["stopwaitsecs"]) for name in group["programs"].split(","))
    assert longest + int(config["program:redis"]["stopwaitsecs"]) < 10


def test_celery_gets_its_queue_slots_and_node_name(tmp_path: Path) -> None:
    chosen = options(tmp_path, AIGC_GPU_WORKERS="chat+image", AIGC_CHAT_SLOTS="3", AIGC_IMAGE_SLOTS="2")
    command = shlex.split(supervisor_config(chosen)["program:gpu-chat-image"]["command"])
    assert command[command.index("-Q") + 1] == "chat,image"
    assert command[command.index("-c") + 1] == "5"
    assert command[command.index("-n") + 1] == "chat-image@%%h"
    assert {"--without-gossip", "--without-mingle", "--without-heartbeat"} <= set(command)


def test_only_what_needs_the_database_waits_for_it(tmp_path: Path) -> None:
    config = supervisor_config(options(tmp_path))
    mark = str(Folders.of(tmp_path).prepared)
    waiting = [name for name in config.sections() if mark in config[name].get("command", "")]
    assert waiting == ["program:web", "program:cpu", "program:beat"]


def test_gpu_workers_are_not_given_the_database_nor_django(tmp_path: Path) -> None:
    config = supervisor_config(options(tmp_path))
    assert {"AIGC_DATABASE_URL", "DJANGO_SETTINGS_MODULE"} <= set(NOT_FOR_GPU)
    for name in NOT_FOR_GPU:
        assert f"-u {name} " in config["program:gpu-chat"]["command"]
        assert name not in config["program:web"]["command"]


def test_the_web_server_can_be_uvicorn(tmp_path: Path) -> None:
    web = supervisor_config(options(tmp_path, AIGC_ASGI_SERVER="uvicorn", PORT="8007"))["program:web"]
    assert "-m uvicorn --host 127.0.0.1 --port 8007" in web["command"]


def test_processes_know_redis_and_data_and_the_persons_settings_win(tmp_path: Path) -> None:
    inherited = {"AIGC_BASE_URL": "https://studio.example.org", "AIGC_REDIS_URL": "", "LANG": "zh_CN.UTF-8"}
    key_file = tmp_path / "secret.key"
    environ = environment(
        options(tmp_path), redis_url="redis://r", secret_key_file=key_file, inherited=inherited
    )
    assert environ["AIGC_BASE_URL"] == "https://studio.example.org"
    assert environ["AIGC_REDIS_URL"] == "redis://r"
    assert environ["AIGC_DATA_DIR"] == str(tmp_path)
    assert environ["AIGC_SECRET_KEY_FILE"] == str(key_file)
    assert environ["LANG"] == "zh_CN.UTF-8"
    own = environment(
        options(tmp_path), redis_url="r", secret_key_file=key_file, inherited={"AIGC_SECRET_KEY": "k" * 50}
    )
    assert "AIGC_SECRET_KEY_FILE" not in own


# --- the terminal
@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("2026-11-22T10:00:00Z [warning  ] lease taken back [jobs] job=1", True),
        ("2026-11-22T10:00:00Z [info     ] error count is 0 [jobs]", False),
        ("[2026-11-22 10:00:00,000: WARNING/MainProcess] consumer: Connection to broker lost.", True),
        ("[2026-11-22 10:00:00,000: INFO/MainProcess] Task jobs.look received", False),
        ("ERROR: [Errno 98] error while attempting to bind", True),
        ("Error: Unable to load celery application.", True),
        ("Traceback (most recent call last):", True),
        ("12:M 22 Nov 2026 10:00:00.000 * Ready to accept connections tcp", False),
        ("12:M 22 Nov 2026 10:00:00.000 # Can't save in background: fork: Cannot allocate memory", True),
        ("12:M 22 Nov 2026 10:00:00.000 # WARNING Memory overcommit must be enabled!", False),
        (json.dumps({"level": "error", "event": "boom"}), True),
        (json.dumps({"level": "info", "event": "an error went away"}), False),
        ("{not json", False),
    ],
)
def test_only_warnings_and_worse_reach_the_terminal(line: str, *, shown: bool) -> None:
    assert bool(warning_in(line)) is shown


def test_a_traceback_is_shown_with_its_error_and_ends_there(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    log.write_text("[error] of the last run\n")
    follower = LogFollower("web", log)
    with log.open("a") as file:
        file.write(
            "x [error   ] failed [web]\nTraceback (most recent call last):\n  File x\n"
            "ValueError: no\nfine\n  more\n"
        )
    assert list(follower.warnings()) == [
        "x [error   ] failed [web]",
        "Traceback (most recent call last):",
        "  File x",
        "ValueError: no",
    ]


def test_a_rotated_log_is_followed_on(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    follower = LogFollower("web", log)
    assert follower.new_lines() == []
    log.write_text("one\ntw")
    assert follower.new_lines() == ["one"]
    log.rename(tmp_path / "web.log.1")
    log.write_text("three\n")
    assert follower.new_lines() == ["three"]


def test_a_process_that_ended_and_came_back_is_told_in_two_sentences() -> None:
    story = SupervisorStory()
    assert story.retell("2026-11-22 10:00:00,000 INFO spawned: 'web' with pid 11") == ""
    ended = story.retell("2026-11-22 10:00:01,000 WARN exited: web (terminated by SIGKILL; not expected)")
    assert ended == "web ended (terminated by SIGKILL); starting it again"
    assert (
        story.retell("2026-11-22 10:00:02,000 INFO spawned: 'web' with pid 12") == "web is back (process 12)"
    )


# --- tied processes
def test_a_pid_file_is_locked_exactly_as_long_as_its_program_lives(tmp_path: Path) -> None:
    pid_file = tmp_path / "sleeper.pid"
    assert not is_running(pid_file)
    command = [sys.executable, "-I", "-S", str(TIED), str(pid_file), "-", "sleep", "30"]
    with subprocess.Popen(command, start_new_session=True) as process:
        wait_until(lambda: pid_of(pid_file) == process.pid)
        assert is_running(pid_file)
        kill_group(pid_file)
        assert process.wait(timeout=5) == -9
    assert not is_running(pid_file)
    assert pid_of(pid_file) is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent died")
def test_a_program_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    pid_file = tmp_path / "child.pid"
    child = [sys.executable, "-I", "-S", str(TIED), str(pid_file), "-", "sleep", "30"]
    script = f"import subprocess; subprocess.run({child!r})"
    with subprocess.Popen([sys.executable, "-c", script]) as parent:
        wait_until(lambda: pid_of(pid_file) is not None)
        parent.kill()
    wait_until(lambda: not is_running(pid_file))


def test_a_program_waits_for_the_mark_that_it_needs(tmp_path: Path) -> None:
    mark, done = tmp_path / "prepared", tmp_path / "done"
    with subprocess.Popen(
        [sys.executable, "-I", "-S", str(TIED), str(tmp_path / "web.pid"), str(mark), "touch", str(done)]
    ) as process:
        time.sleep(0.3)
        assert process.poll() is None
        assert not done.exists()
        mark.touch()
        assert process.wait(timeout=5) == 0
    assert done.exists()


def test_a_program_that_ends_at_once_is_slowed_down(tmp_path: Path) -> None:
    command = [sys.executable, "-I", "-S", str(TIED), str(tmp_path / "quick.pid"), "-", "true"]
    subprocess.run(command, check=True)
    began = time.monotonic()
    subprocess.run(command, check=True)
    assert 1.0 <= time.monotonic() - began < 5.0


def wait_until(condition: object, timeout_s: float = 5.0) -> None:
    assert callable(condition)
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
