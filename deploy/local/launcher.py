"""Starts every process of one machine under supervisord, waits until the product is ready, and ends it all.

Run by `.venv`'s Python, after the environment and the page are made.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

from deploy.local import readiness
from deploy.local.checks import RUN_BYTES, check_data_folder, check_disk, check_port, port_in_use
from deploy.local.console import CommandFailed, Step, run_logged, say, tail
from deploy.local.lock import LauncherLock
from deploy.local.options import Options, read_options
from deploy.local.processes import (
    REDIS,
    WEB,
    Folders,
    Process,
    environment,
    processes,
    tied,
    write_supervisor_config,
)
from deploy.local.redis_server import answers, without_password, write_config
from deploy.local.running import is_running, kill_group
from deploy.local.secret_files import keep_secret
from deploy.local.terminal import PORT_TAKEN, LogFollower, SupervisorStory
from deploy.local.trouble import Trouble

SUPERVISOR = "supervisord"
TICK_S = 0.25
STOP_S = 9.0  # Ctrl-C has everything ended within ten seconds
LEFTOVER_S = 12.0  # an earlier run whose launcher was killed ends by itself within this
PATIENCE_S = 60.0  # after this long without being ready, say where to look


class Launcher:
    """One `make run`. `run()` returns when the person stops it or the supervisor ends."""

    def __init__(self, options: Options, environ: Mapping[str, str]) -> None:
        self._options = options
        self._environ = dict(environ)
        self._stop_asked = False

    def run(self) -> int:
        """Start, wait, show warnings, end. Raises Trouble for what a person can mend."""
        began = time.monotonic()
        options = self._options
        check_data_folder(options.data)
        check_disk(options.data, RUN_BYTES)
        with LauncherLock(options.data):
            folders = Folders.of(options.data)
            _await_leftovers(folders)
            check_port(options)
            environ, programs = self._plan()
            folders.prepared.unlink(missing_ok=True)
            # The gpu workers and Redis start meanwhile; those that need the database wait for the mark.
            running = Running(options, folders, programs, environ)
            try:
                notice = _prepare(options, folders, environ)
                folders.prepared.touch()
                for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                    signal.signal(number, self._ask_stop)
                return self._watch(running, notice, began)
            finally:
                running.stop()
                say("AIGC Studio has stopped.")

    def _plan(self) -> tuple[dict[str, str], list[Process]]:
        options = self._options
        secret_key_file = options.data / "secret.key"
        keep_secret(secret_key_file)
        if options.redis_url:
            if not answers(options.redis_url, timeout_s=3.0):
                raise Trouble(
                    f"No Redis answers at {without_password(options.redis_url)} (AIGC_REDIS_URL). Start it, "
                    "mend the address, or leave AIGC_REDIS_URL away to use the embedded one."
                )
            redis_url, redis_command = options.redis_url, None
        else:
            config = write_config(
                options.data / "redis", maxmemory=options.redis_maxmemory, program=options.redis_server
            )
            redis_url, redis_command = config.url, config.command
        environ = environment(
            options, redis_url=redis_url, secret_key_file=secret_key_file, inherited=self._environ
        )
        return environ, processes(options, redis_command)

    def _await_ready(self, running: Running) -> bool:
        """Whether the product became ready before it was stopped."""
        with Step("Starting the processes") as step:
            while not self._stop_asked and running.alive():
                state = readiness.ask(self._options.address)
                if state.ready and not running.port_is_taken:
                    return True
                step.update(f"waiting for {state.missing}")
                running.show_warnings()
                if running.port_is_taken:
                    raise port_in_use(self._options)
                if step.seconds > PATIENCE_S and not running.complained:
                    running.complain(state.missing)
                time.sleep(TICK_S)
        return False

    def _watch(self, running: Running, notice: str, began: float) -> int:
        if self._await_ready(running):
            say(f"\n  AIGC Studio is ready: {self._options.address}   ({time.monotonic() - began:.1f} s)")
            if notice.startswith("http"):
                say(f"  Make the first admin with this link, which works once: {notice}")
            elif notice:
                say(f"  {notice}")
            say(f"  Logs: {running.logs}   Ctrl-C stops everything.\n")
            if self._options.preload:
                running.preload_models()
        while not self._stop_asked and running.alive():
            running.show_warnings()
            if running.port_is_taken and time.monotonic() - began < PATIENCE_S:
                raise port_in_use(self._options)  # what answered as ready was that other program
            time.sleep(TICK_S)
        if self._stop_asked:
            return 0
        say(f"The supervisor ended by itself. The end of its log:\n{running.last_words()}")
        return 1

    def _ask_stop(self, _number: int, _frame: FrameType | None) -> None:
        if self._stop_asked:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            raise KeyboardInterrupt  # the second time: no more patience
        self._stop_asked = True
        say("\nStopping …")


class Running:
    """supervisord and what it runs."""

    def __init__(
        self, options: Options, folders: Folders, programs: list[Process], environ: Mapping[str, str]
    ) -> None:
        self._folders, self._environ, self._root = folders, dict(environ), options.root
        self.complained = False
        self.port_is_taken = False
        config = write_supervisor_config(options, folders, programs)
        self._followers = [
            LogFollower(program.name, folders.logs / f"{program.name}.log") for program in programs
        ]
        self._supervisor_log = LogFollower(SUPERVISOR, folders.logs / "supervisor.log")
        self._story = SupervisorStory()
        with (folders.logs / "supervisor.out").open("wb") as output:
            self._process = subprocess.Popen(
                [
                    *tied(folders.pid_file(SUPERVISOR)),
                    sys.executable,
                    "-m",
                    "supervisor.supervisord",
                    "-n",
                    "-c",
                    str(config),
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(environ),
                cwd=options.root,
                start_new_session=True,  # the terminal's Ctrl-C is for the launcher: it ends things in order
            )

    @property
    def logs(self) -> Path:
        """The folder of the log files."""
        return self._folders.logs

    def alive(self) -> bool:
        """Whether the supervisor still runs."""
        return self._process.poll() is None

    def show_warnings(self) -> None:
        """Print what the processes have warned of since the last call."""
        for line in self._supervisor_log.new_lines():
            text = self._story.retell(line)
            if text:
                say(f"  {text}")
        for follower in self._followers:
            for text in follower.warnings():
                if follower.name == WEB and PORT_TAKEN.search(text):
                    # Since our own look at the port, another program took it; its answers are not ours.
                    self.port_is_taken = True
                say(f"{follower.name:>10} | {text}")

    def preload_models(self) -> None:
        """Have the workers load the default models, so that the first job need not wait; returns at once."""
        with (self._folders.logs / "preload.log").open("wb") as log:
            subprocess.Popen(
                [sys.executable, "manage.py", "preload_models"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environ,
                cwd=self._root,
            )

    def complain(self, missing: str) -> None:
        """Say once that the start takes unusually long, with the end of the logs that may tell why."""
        self.complained = True
        say(f"\n  Not ready after {PATIENCE_S:.0f} s; still waiting for {missing}. The ends of the logs:")
        for follower in self._followers:
            if follower.name != REDIS and follower.path.exists():
                say(f"--- {follower.path}\n{tail(follower.path, lines=3)}")

    def last_words(self) -> str:
        """The end of what supervisord said."""
        return tail(self._folders.logs / "supervisor.out") or tail(self.logs / "supervisor.log")

    def stop(self) -> None:
        """End everything within ten seconds: in good order, and what does not end so, by force."""
        if self.alive():
            self._process.terminate()
            try:
                self._process.wait(timeout=STOP_S)
            except (subprocess.TimeoutExpired, KeyboardInterrupt):
                self._process.kill()
        for file in self._folders.pid_files():
            kill_group(file)
        self._process.wait()


def _prepare(options: Options, folders: Folders, environ: Mapping[str, str]) -> str:
    """Migrate, seed, make the first admin; returns what the person should see (a one-time link)."""
    log, notice = folders.logs / "prepare.log", folders.run / "notice"
    shell = [sys.executable, "-m", "deploy.local.prepare", str(notice)]
    with Step("Database and catalogue") as step:
        try:
            run_logged(step, shell, log=log, environ=environ, folder=options.root)
        except CommandFailed as failure:
            raise Trouble(failure.tail) from failure
    text = notice.read_text(encoding="utf-8")
    notice.unlink()
    return text.strip()


def _await_leftovers(folders: Folders) -> None:
    """Wait for the processes of a run whose launcher was killed: the kernel has told them to end."""
    left = [file for file in folders.pid_files() if is_running(file)]
    if left:
        deadline = time.monotonic() + LEFTOVER_S
        with Step("Waiting for the last run to end") as step:
            while any(map(is_running, left)) and time.monotonic() < deadline:
                step.update(", ".join(file.stem for file in left if is_running(file)))
                time.sleep(TICK_S)
        for file in left:
            kill_group(file)
    for file in folders.pid_files():
        file.unlink()


def main() -> int:
    """Exit code 1 with a sentence for what the person can mend."""
    try:
        return Launcher(read_options(Path.cwd(), os.environ), os.environ).run()
    except Trouble as trouble:
        say(f"\n{trouble}")
        return 1
    except KeyboardInterrupt:
        say("Stopped.")
        return 130


if __name__ == "__main__":
    sys.exit(main())
