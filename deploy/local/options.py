"""What the person asked for: `PORT`, `HOST` and the `AIGC_*` variables that the launcher itself reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.local.trouble import Trouble

MEDIA = ("chat", "image", "voice")
ASGI_SERVERS = ("daphne", "uvicorn")


@dataclass(frozen=True, slots=True)
class GpuWorker:
    """One gpu worker process: the media whose queues it serves and how many jobs it runs at once."""

    media: tuple[str, ...]
    slots: int

    @property
    def name(self) -> str:
        """Its name among the processes, such as `gpu-chat`."""
        return "gpu-" + "-".join(self.media)


@dataclass(frozen=True, slots=True)
class Options:
    """Everything the launcher lets a person choose; the other settings pass through to the processes."""

    root: Path
    data: Path
    host: str
    port: int
    asgi_server: str
    gpu_workers: tuple[GpuWorker, ...]
    redis_url: str
    redis_maxmemory: str
    redis_server: str
    torch_backend: str
    drain_s: int
    preload: bool

    @property
    def local_host(self) -> str:
        """An address by which this machine reaches the web process."""
        wildcard = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104
        host = wildcard.get(self.host, self.host)
        return f"[{host}]" if ":" in host else host

    @property
    def address(self) -> str:
        """Where a browser on this machine finds the studio."""
        return f"http://{self.local_host}:{self.port}"


def read_options(root: Path, environ: Mapping[str, str]) -> Options:
    """Read and check the choices. Raises Trouble with the bad value."""
    slots = {
        "chat": _number(environ, "AIGC_CHAT_SLOTS", 64, 1, 4096),
        "image": _number(environ, "AIGC_IMAGE_SLOTS", 8, 1, 1024),
        "voice": _number(environ, "AIGC_VOICE_SLOTS", 16, 1, 1024),
    }
    server = environ.get("AIGC_ASGI_SERVER") or "daphne"
    if server not in ASGI_SERVERS:
        raise Trouble(f"AIGC_ASGI_SERVER={server} is not known; it may be {' or '.join(ASGI_SERVERS)}.")
    return Options(
        root=root,
        data=(root / Path(environ.get("AIGC_DATA_DIR") or "data").expanduser()).resolve(),
        host=environ.get("HOST") or "127.0.0.1",
        port=_number(environ, "PORT", 8000, 1, 65535),
        asgi_server=server,
        gpu_workers=_gpu_workers(environ.get("AIGC_GPU_WORKERS") or ",".join(MEDIA), slots),
        redis_url=environ.get("AIGC_REDIS_URL") or "",
        redis_maxmemory=environ.get("AIGC_REDIS_MAXMEMORY") or "1gb",
        redis_server=environ.get("AIGC_REDIS_SERVER") or "auto",
        torch_backend=environ.get("AIGC_TORCH_BACKEND") or "",
        drain_s=_number(environ, "AIGC_DRAIN_S", 5, 0, 600),
        preload=_yes_or_no(environ, "AIGC_PRELOAD", default=True),
    )


def read_dotenv(file: Path) -> dict[str, str]:
    """`NAME=value` lines of a `.env` file, so that a person's choices can live in one; missing means none."""
    if not file.is_file():
        return {}
    values: dict[str, str] = {}
    for number, raw in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        line = raw.strip().removeprefix("export ")
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals:
            raise Trouble(
                f"{file}, line {number}: `{line}` is not NAME=value. Mend the line or put # before it."
            )
        values[name.strip()] = _unquoted(value.strip())
    return values


def _unquoted(value: str) -> str:
    quoted = len(value) >= 2 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1] if quoted else value


def _number(environ: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = environ.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
        raise Trouble(f"{name}={text} must be a whole number from {least} to {most}.")
    return int(text)


def _yes_or_no(environ: Mapping[str, str], name: str, *, default: bool) -> bool:
    text = environ.get(name) or ("yes" if default else "no")
    if text not in {"yes", "no"}:
        raise Trouble(f"{name}={text} must be yes or no.")
    return text == "yes"


def _gpu_workers(text: str, slots: Mapping[str, int]) -> tuple[GpuWorker, ...]:
    """`chat,image+voice` is two processes, the second for two media; `none` starts none here."""
    if text.strip() == "none":
        return ()
    workers = []
    seen: set[str] = set()
    for part in text.split(","):
        media = tuple(medium.strip() for medium in part.split("+"))
        for medium in media:
            if medium not in MEDIA:
                raise Trouble(
                    f"AIGC_GPU_WORKERS={text}: {medium!r} is no medium. Use {', '.join(MEDIA)}, joined by "
                    "commas (a process each) or + (one process for several), or none."
                )
            if medium in seen:
                raise Trouble(f"AIGC_GPU_WORKERS={text} names {medium} twice; name each medium once.")
            seen.add(medium)
        workers.append(GpuWorker(media, sum(slots[medium] for medium in media)))
    return tuple(workers)
