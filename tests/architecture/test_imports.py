"""The order of the modules: `.importlinter` holds, misses nobody, and is true of what really gets loaded."""

from __future__ import annotations

import configparser
import os
import subprocess
import sys
from pathlib import Path

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS

from apps.catalog.models import Engine
from gpu_workers.engines import ENGINES

ROOT = Path(__file__).resolve().parents[2]
MODEL_LIBRARIES = ("torch", "transformers", "diffusers", "TTS")
DUMPING_PLACES = {"utils", "util", "helpers", "helper", "misc", "manager", "managers", "common"}


@pytest.fixture
def contracts() -> configparser.ConfigParser:
    """The contracts as they are written."""
    parser = configparser.ConfigParser()
    parser.read(ROOT / ".importlinter")
    return parser


def test_the_contracts_hold() -> None:
    # In a process of its own: the linter switches off every logger that exists, for all tests after this one.
    lint = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    done = subprocess.run([sys.executable, "-c", lint], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == EXIT_STATUS_SUCCESS, done.stdout


def test_every_app_keeps_the_order_inside(contracts: configparser.ConfigParser) -> None:
    containers = set(contracts["importlinter:contract:inside"]["containers"].split())
    assert containers == {f"apps.{path.parent.name}" for path in ROOT.glob("apps/*/apps.py")}


def test_every_engine_is_independent(contracts: configparser.ConfigParser) -> None:
    modules = set(contracts["importlinter:contract:engines"]["modules"].split())
    assert modules == set(ENGINES.values())


def test_the_catalogue_knows_the_engines_that_the_workers_have() -> None:
    """The two lists cannot be one: neither side may import the other."""
    assert set(Engine.values) == set(ENGINES)


def say(script: str) -> list[str]:
    """The words that a fresh process prints."""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def modules_after(statement: str) -> set[str]:
    """The modules that a fresh process has loaded after the statement."""
    return set(say(f"{statement}\nimport sys\nprint(*sys.modules)"))


@pytest.mark.parametrize(
    "statement", ["import aigc.asgi", "import django; django.setup(); import aigc.celery, aigc.urls"]
)
def test_the_web_side_loads_no_model_library(monkeypatch: pytest.MonkeyPatch, statement: str) -> None:
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "aigc.settings")
    assert modules_after(statement).isdisjoint(MODEL_LIBRARIES)


def test_the_web_server_loads_nothing_that_only_others_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "aigc.settings")
    start = "import aigc.web_server, django; django.setup(); import aigc.asgi, aigc.urls"
    loaded = modules_after(start)
    assert "rest_framework.compat" in loaded
    # No module of theirs; the names themselves stand for their absence.
    assert not [name for name in loaded if name.startswith(("jinja2.", "markdown.", "requests.", "rich."))]


def test_the_worker_starts_without_django_and_without_a_model_library() -> None:
    loaded = modules_after("import gpu_workers.app, gpu_workers.tasks, gpu_workers.worker")
    # Celery's own library looks into `django.utils` where Django is installed, and no further.
    assert loaded.isdisjoint({"django.conf", "django.apps", "django.db", "channels", "aigc", "apps"})
    assert loaded.isdisjoint(MODEL_LIBRARIES)


def test_celery_does_not_bring_django_into_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Celery sets Django up by itself where this variable is set, as it is for the processes beside it."""
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "aigc.settings")
    assert say("from gpu_workers.app import app; print(*app.fixups)") == []


def test_no_module_is_a_dumping_place() -> None:
    names = {
        path for folder in ("aigc", "apps", "gpu_workers", "deploy") for path in (ROOT / folder).rglob("*.py")
    }
    assert names, "nothing was looked at"
    assert [str(path.relative_to(ROOT)) for path in sorted(names) if path.stem in DUMPING_PLACES] == []
