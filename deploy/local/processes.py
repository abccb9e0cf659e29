"""The processes of one machine, and the supervisor's configuration that brings back what dies."""

from __future__ import annotations

import resource
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.local.options import Options
from deploy.local.secret_files import write_private

REDIS, WEB = "redis", "web"
# Each job's clients, and each worker's connections, are descriptors of one process.
DESCRIPTORS = 16384
# A gpu worker knows Redis only; what opens the database or signs sessions is not its business.
NOT_FOR_GPU = (
    "AIGC_SECRET_KEY",
    "AIGC_SECRET_KEY_FILE",
    "AIGC_DATABASE_URL",
    "AIGC_ADMIN_PASSWORD",
    # Celery would load Django and all of its apps where this is set.
    "DJANGO_SETTINGS_MODULE",
)
CELERY_QUIET = ("--without-gossip", "--without-mingle", "--without-heartbeat")
TIED = Path(__file__).with_name("tied.py")


@dataclass(frozen=True, slots=True)
class Process:
    """A program that should always run. `stop_s` is how long it may take to end on SIGTERM."""

    name: str
    command: tuple[str, ...]
    stop_s: int
    needs_database: bool = True


@dataclass(frozen=True, slots=True)
class Folders:
    """Where a running installation keeps what is not the product's own data."""

    logs: Path
    run: Path

    @classmethod
    def of(cls, data: Path) -> Folders:
        """The folders below the data folder, made if they are missing."""
        folders = cls(logs=data / "logs", run=data / "run")
        for folder in (folders.logs, folders.run):
            folder.mkdir(mode=0o700, exist_ok=True)
        return folders

    def pid_files(self) -> list[Path]:
        """Those of every process of this or an earlier run."""
        return sorted(self.run.glob("*.pid"))

    @property
    def prepared(self) -> Path:
        """Exists from when the database is up to date."""
        return self.run / "prepared"

    def pid_file(self, name: str) -> Path:
        """Where a process's id is kept."""
        return self.run / f"{name}.pid"


def processes(options: Options, redis_command: Sequence[str] | None) -> list[Process]:
    """Every process that `make run` starts; Redis only when it is the embedded one."""
    result = (
        []
        if redis_command is None
        else [Process(REDIS, tuple(redis_command), stop_s=2, needs_database=False)]
    )
    result += [
        Process(WEB, _web(options), stop_s=4),
        Process("cpu", _celery("aigc", "worker", "-Q", "cpu", "-c", "4", "-n", "cpu@%h"), stop_s=5),
        Process(
            "beat",
            (
                *_python("celery"),
                "-A",
                "aigc",
                "beat",
                "-l",
                "INFO",
                "--pidfile=",
                "-s",
                str(options.data / "beat-schedule"),
            ),
            stop_s=5,
        ),
    ]
    for worker in options.gpu_workers:
        queues, slots, node = ",".join(worker.media), str(worker.slots), f"{'-'.join(worker.media)}@%h"
        command = _celery("gpu_workers.app", "worker", "-Q", queues, "-c", slots, "-n", node)
        without = tuple(part for name in NOT_FOR_GPU for part in ("-u", name))
        result.append(
            Process(
                worker.name, ("env", *without, *command), stop_s=options.drain_s + 2, needs_database=False
            )
        )
    return result


# Above our own limit, so that a frame which is too large is answered instead of cutting the socket.
FRAME_MAX_BYTES = "16777216"


def _web(options: Options) -> tuple[str, ...]:
    where = ("--host", options.host, "--port", str(options.port))
    if options.asgi_server == "uvicorn":
        grace = ("--timeout-graceful-shutdown", "2")
        return (
            *_python("uvicorn"),
            *where,
            "--no-access-log",
            "--ws-max-size",
            FRAME_MAX_BYTES,
            *grace,
            "aigc.asgi:application",
        )
    return (
        *_python("aigc.web_server"),
        "-b",
        options.host,
        "-p",
        str(options.port),
        "--no-server-name",
        "--websocket-max-message-size",
        FRAME_MAX_BYTES,
        "--websocket-max-frame-size",
        FRAME_MAX_BYTES,
        "aigc.asgi:application",
    )


def _celery(app: str, role: str, *arguments: str) -> tuple[str, ...]:
    return (*_python("celery"), "-A", app, role, "-P", "threads", "-l", "INFO", *CELERY_QUIET, *arguments)


def _python(module: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module)


def environment(
    options: Options, *, redis_url: str, secret_key_file: Path, inherited: Mapping[str, str]
) -> dict[str, str]:
    """What every process finds in its environment: the person's own settings win over these."""
    ours = {
        "DJANGO_SETTINGS_MODULE": "aigc.settings",
        "AIGC_DRAIN_S": str(options.drain_s),
        "AIGC_BASE_URL": options.address,
        "PYTHONUNBUFFERED": "1",
    }
    if not inherited.get("AIGC_SECRET_KEY"):
        ours["AIGC_SECRET_KEY_FILE"] = str(secret_key_file)
    fixed = {"AIGC_DATA_DIR": str(options.data), "AIGC_REDIS_URL": redis_url}
    return {**ours, **inherited, **fixed}


def write_supervisor_config(options: Options, folders: Folders, programs: Sequence[Process]) -> Path:
    """Write the configuration of supervisord and return its path."""
    file = folders.run / "supervisord.conf"
    application = [program for program in programs if program.name != REDIS]
    sections = [
        _section(
            "supervisord",
            nodaemon="true",
            directory=_escaped(str(options.root)),
            logfile=_escaped(str(folders.logs / "supervisor.log")),
            logfile_maxbytes="10MB",
            logfile_backups="3",
            pidfile=_escaped(str(folders.run / "supervisord.own")),
            minfds=str(_descriptors()),
            umask="077",
        ),
        *(_program(program, folders) for program in programs),
        # One group ends together and at once; Redis is outside it, so it ends last.
        _section("group:app", programs=",".join(program.name for program in application), priority="20"),
    ]
    write_private(file, "\n".join(sections))
    return file


def _program(program: Process, folders: Folders) -> str:
    after = str(folders.prepared) if program.needs_database else "-"
    command = [*tied(folders.pid_file(program.name), after), *program.command]
    return _section(
        f"program:{program.name}",
        command=_escaped(shlex.join(command)),
        autorestart="true",
        # With 0, supervisord never counts an early end as a failed start, so it never gives up on a program.
        startsecs="0",
        startretries="1000000",
        stopsignal="TERM",
        stopwaitsecs=str(program.stop_s),
        killasgroup="true",
        priority="10",
        redirect_stderr="true",
        stdout_logfile=_escaped(str(folders.logs / f"{program.name}.log")),
        stdout_logfile_maxbytes="10MB",
        stdout_logfile_backups="5",
    )


def tied(pid_file: Path, after: str = "-") -> list[str]:
    """What goes before a command so that it keeps `pid_file` and ends with its parent."""
    return [sys.executable, "-I", "-S", str(TIED), str(pid_file), after]


def _section(name: str, **values: str) -> str:
    return "\n".join([f"[{name}]", *(f"{key}={value}" for key, value in values.items()), ""])


def _escaped(value: str) -> str:
    """supervisord expands `%(name)s` in its values."""
    return value.replace("%", "%%")


def _descriptors() -> int:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
