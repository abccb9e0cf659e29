"""The product as `make run` starts it, over a folder of its own, with a catalogue entry for the fake upstream."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import Request

from benchmarks.processes import rss_mb, wait_until_quiet
from benchmarks.report import ROOT
from benchmarks.servers import NotStarted, direct, free_port, serving
from deploy.local import readiness
from deploy.local.running import pid_of

EMAIL = "bench@example.org"
FAKE_MODEL = "fake-50x400"
READY_S = 180.0
LOADED = ("ready", "failed")
# All together.
QUIET_CORES, QUIET_S = 0.1, 4.0
# What somebody may want to compare; every other setting of theirs would make another product of it.
KEPT_SETTINGS = (
    "AIGC_ASGI_SERVER",
    "AIGC_LIVE_SHARDS",
    "AIGC_DEVICE",
    "AIGC_REDIS_SERVER",
    "AIGC_GPU_WORKERS",
)
SUPERVISOR = "supervisord"
ADD_MODEL = """
from apps.catalog.models import Model
Model.objects.update_or_create(pk={id!r}, defaults=dict(
    name="Fake upstream", medium="chat", engine="openai", source={source!r}, options={{"model": {id!r}}}, enabled=True,
))
"""
PRINT_SPEC = """
import json
from apps.catalog.selectors import get_model_spec
print(json.dumps(get_model_spec({id!r}, {medium!r})))
"""


@dataclass(slots=True)
class Product:
    """A running product: where it answers, how to sign in, and its processes."""

    url: str
    folder: Path
    env: dict[str, str] = field(repr=False)
    key: str = field(default="", repr=False)
    idle_web_mb: float = 0.0
    idle_cores: float = 0.0

    def pids(self) -> dict[str, int]:
        """The process ids by name, as they are now."""
        found = {file.stem: pid_of(file) for file in sorted((self.folder / "run").glob("*.pid"))}
        return {name: pid for name, pid in found.items() if pid is not None and name != SUPERVISOR}

    def kill_redis(self) -> float:
        """kill -9 Redis; the seconds until the supervisor has started it again."""
        before = self.pids()["redis"]
        os.kill(before, signal.SIGKILL)
        killed = time.monotonic()
        while self.pids().get("redis", before) == before:
            if time.monotonic() - killed > 30:
                raise TimeoutError("The supervisor did not bring Redis back within 30 s.")
            time.sleep(0.02)
        return time.monotonic() - killed

    def add_model(self, model_id: str, upstream_url: str) -> None:
        """Put a model of the fake upstream into the catalogue."""
        self.manage("shell", "-v", "0", "-c", ADD_MODEL.format(id=model_id, source=upstream_url))

    def await_default_models(self) -> None:
        """Until the workers have what the launcher has them load: that takes them many seconds of CPU after ready.

        Raises NotStarted.
        """
        asked = Request(f"{self.url}/api/v1/models", headers={"Authorization": f"Bearer {self.key}"})
        deadline = time.monotonic() + READY_S
        while True:
            with direct.open(asked, timeout=10) as answer:
                models = json.load(answer)["results"]
            waiting = {
                model["id"]: model["state"]["state"]
                for model in models
                if model["default"] and model["state"]["state"] not in LOADED
            }
            if not waiting:
                return
            if time.monotonic() > deadline:
                raise NotStarted(f"The default models were not loaded within {READY_S:.0f} s: {waiting}")
            time.sleep(0.5)

    def spec(self, model_id: str, medium: str) -> dict[str, Any]:
        """The catalogue entry as a gpu worker gets it."""
        said = self.manage("shell", "-v", "0", "-c", PRINT_SPEC.format(id=model_id, medium=medium))
        return dict(json.loads(said.strip().splitlines()[-1]))

    def manage(self, *arguments: str) -> str:
        """Run a management command; its output. Raises RuntimeError with what it said."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"manage.py {arguments[0]} failed:\n{done.stdout}{done.stderr}")
        return done.stdout


@contextmanager
def running_product(folder: Path, upstream_url: str) -> Iterator[Product]:
    """Start the product, wait until it is ready, add the fake model; end it afterwards. Raises NotStarted."""
    port = free_port()
    product = Product(f"http://127.0.0.1:{port}", folder / "data", environment(folder / "data", port))
    command = [sys.executable, "-m", "deploy.local.launcher"]
    with serving(
        command,
        folder / "product.log",
        is_up=lambda: readiness.ask(product.url).ready,
        within_s=READY_S,
        env=product.env,
        stop_signal=signal.SIGINT,
    ):
        product.add_model(FAKE_MODEL, upstream_url)
        product.key = product.manage("create_api_key", EMAIL, "--name", "bench").split()[-1]
        product.await_default_models()
        product.idle_cores = wait_until_quiet(product.pids(), below=QUIET_CORES, for_s=QUIET_S)
        product.idle_web_mb = rss_mb(product.pids()["web"])
        yield product


def environment(data: Path, port: int, inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of somebody with a lot of chat slots and no limit on their jobs."""
    kept = {
        name: value
        for name, value in inherited.items()
        if name in KEPT_SETTINGS or not name.startswith(("AIGC_", "DJANGO_"))
    }
    return kept | {
        "AIGC_DATA_DIR": str(data),
        "PORT": str(port),
        "AIGC_ADMIN_EMAIL": EMAIL,
        "AIGC_ADMIN_PASSWORD": secrets.token_urlsafe(24),
        "AIGC_CHAT_SLOTS": "512",
        "AIGC_MAX_UNFINISHED_JOBS": "2000",
    }
