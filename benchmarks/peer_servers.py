"""The peers as running servers in front of the fake upstream, each as its own documentation starts it."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.peers import LITELLM, OPEN_WEBUI, PeerEnvironment
from benchmarks.product import FAKE_MODEL
from benchmarks.servers import NotStarted, answers, free_port, serving

START_S = 180.0
SIGN_UPS_AT_ONCE = 4
# Nobody answers here: what is on by default and would ask the internet or a second model is off.
OPEN_WEBUI_SETTINGS = {
    "ENABLE_PERSISTENT_CONFIG": "false",
    "ENABLE_OLLAMA_API": "false",
    "BYPASS_MODEL_ACCESS_CONTROL": "true",
    "ENABLE_TITLE_GENERATION": "false",
    "ENABLE_TAGS_GENERATION": "false",
    "ENABLE_FOLLOW_UP_GENERATION": "false",
    "ENABLE_AUTOCOMPLETE_GENERATION": "false",
    "ENABLE_VERSION_UPDATE_CHECK": "false",
    "RAG_EMBEDDING_ENGINE": "openai",
    "RAG_EMBEDDING_MODEL_AUTO_UPDATE": "false",
    "OFFLINE_MODE": "true",
    "HF_HUB_OFFLINE": "1",
    # After its own 5 s, some of 60 people who ask at once are told that the database is locked.
    "DATABASE_SQLITE_PRAGMA_BUSY_TIMEOUT": "60000",
    "DO_NOT_TRACK": "true",
    "SCARF_NO_ANALYTICS": "true",
    "ANONYMIZED_TELEMETRY": "false",
    "GLOBAL_LOG_LEVEL": "WARNING",
}
LITELLM_CONFIG = """\
model_list:
  - model_name: {model}
    litellm_params: {{model: "openai/{model}", api_base: "{url}", api_key: none}}
litellm_settings: {{telemetry: false, set_verbose: false}}
general_settings: {{master_key: "{key}"}}
"""


@dataclass(frozen=True, slots=True)
class Peer:
    """A running peer; `keys` are those of several people where it tells them apart."""

    name: str
    version: str
    url: str
    pid: int
    key: str = field(default="", repr=False)
    keys: tuple[str, ...] = field(default=(), repr=False)


@dataclass(slots=True)
class Peers:
    """The peers of a run by name, and for those that are not there, why."""

    running: dict[str, Peer] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)


@contextmanager
def running_peers(folder: Path, upstream_url: str, *, people: int, wanted: bool = True) -> Iterator[Peers]:
    """Start those whose environment is there; one that does not start is missing, not an error."""
    peers = Peers()
    with ExitStack() as stack:
        for environment, start in ((LITELLM, _litellm), (OPEN_WEBUI, _open_webui)):
            if not wanted:
                peers.missing[environment.name] = "left out on request"
            elif not environment.is_there():
                peers.missing[environment.name] = "no environment; run `make bench-peers` first"
            else:
                try:
                    peer = stack.enter_context(start(environment, folder, upstream_url, people))
                except (NotStarted, aiohttp.ClientError, KeyError) as error:
                    peers.missing[environment.name] = f"it did not start: {str(error)[-300:]}"
                else:
                    peers.running[environment.name] = peer
        yield peers


@contextmanager
def _litellm(environment: PeerEnvironment, folder: Path, upstream_url: str, _people: int) -> Iterator[Peer]:
    port = free_port()
    config = folder / "litellm.yaml"
    key = f"sk-{secrets.token_hex(32)}"  # it does not start without one
    config.write_text(LITELLM_CONFIG.format(model=FAKE_MODEL, url=upstream_url, key=key))
    command = [
        str(environment.command),
        *("--config", str(config), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"),
    ]
    # The price list would come from the internet.
    env = {**_own_environment(), "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}
    url = f"http://127.0.0.1:{port}"
    with serving(
        command,
        folder / "litellm.log",
        is_up=lambda: answers(f"{url}/health/liveliness"),
        within_s=START_S,
        env=env,
    ) as pid:
        yield Peer(environment.name, environment.version(), f"{url}/v1", pid, key=key)


@contextmanager
def _open_webui(environment: PeerEnvironment, folder: Path, upstream_url: str, people: int) -> Iterator[Peer]:
    port = free_port()
    data = folder / "open-webui"
    data.mkdir()
    env = {
        **_own_environment(),
        **OPEN_WEBUI_SETTINGS,
        "DATA_DIR": str(data),
        "WEBUI_SECRET_KEY": secrets.token_hex(32),
        "OPENAI_API_BASE_URLS": upstream_url,
        "OPENAI_API_KEYS": "none",
    }
    url = f"http://127.0.0.1:{port}"
    command = [str(environment.command), "serve", "--host", "127.0.0.1", "--port", str(port)]
    with serving(
        command,
        folder / "open-webui.log",
        is_up=lambda: answers(f"{url}/health"),
        within_s=START_S,
        env=env,
    ) as pid:
        keys = asyncio.run(_sign_up(url, people))
        yield Peer(environment.name, environment.version(), url, pid, key=keys[0], keys=tuple(keys))


def _own_environment() -> dict[str, str]:
    """Ours without what would change a peer."""
    ours = ("AIGC_", "DJANGO_", "PYTHON", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


async def _sign_up(url: str, people: int) -> list[str]:
    """Make accounts, the first one's is the admin's; their tokens. Raises ClientError.

    Its events go to every socket of a person, so one person for all streams would cost it more than is fair.
    """
    async with aiohttp.ClientSession(url, raise_for_status=True) as session:
        # Only the first one signs up; that is the admin, who adds the others.
        first = await _account(session, "/api/v1/auths/signup", 0)
        session.headers["Authorization"] = f"Bearer {first}"
        places = asyncio.Semaphore(SIGN_UPS_AT_ONCE)

        async def add(number: int) -> str:
            async with places:
                return await _account(session, "/api/v1/auths/add", number)

        keys = [first, *await asyncio.gather(*(add(number) for number in range(1, people)))]
        # It learns of the upstream's models when somebody lists them.
        for path in ("/openai/models", "/api/models"):
            async with session.get(path) as response:
                await response.read()
        return keys


async def _account(session: aiohttp.ClientSession, path: str, number: int) -> str:
    account: dict[str, Any] = {
        "name": f"Person {number}",
        "email": f"person{number}@example.org",
        "password": "a long enough Passw0rd",
        "role": "user",
    }
    async with session.post(path, json=account) as response:
        return str((await response.json())["token"])
