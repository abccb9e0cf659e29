"""The commands of `python3 -m deploy.local`: they make the environment; `run` then starts the launcher."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from deploy.local.checks import check_data_folder, check_platform, check_port
from deploy.local.console import say
from deploy.local.environment import Environment
from deploy.local.lock import LauncherLock
from deploy.local.options import read_dotenv, read_options
from deploy.local.page import Page
from deploy.local.trouble import Trouble

ROOT = Path(__file__).resolve().parents[2]
RUN = "requirements.txt"
DEV = "requirements/dev.txt"
USAGE = "usage: python3 -m deploy.local run | setup [run|dev] | npm ARGUMENTS..."


def main(arguments: list[str]) -> int:
    """Returns the exit code; 1 with a sentence for what the person can mend."""
    try:
        match arguments:
            case ["run"]:
                run()
            case ["setup"] | ["setup", "run"]:
                set_up(RUN)
            case ["setup", "dev"]:
                set_up(DEV)
            case ["npm", *rest] if rest:
                return Page(ROOT, Environment(ROOT, os.environ), os.environ).run_npm(rest)
            case _:
                say(USAGE)
                return 2
    except Trouble as trouble:
        say(f"\n{trouble}")
        return 1
    except KeyboardInterrupt:
        say("Stopped.")
        return 130
    return 0


def set_up(requirements: str) -> Environment:
    """The environment and the page, as far as they are not there."""
    check_platform()
    environment = Environment(ROOT, os.environ)
    environment.ensure(requirements, os.environ.get("AIGC_TORCH_BACKEND", ""))
    Page(ROOT, environment, os.environ).ensure()
    return environment


def run() -> None:
    """Make what is missing, then become the launcher on `.venv`'s Python. A `.env` in the root counts."""
    check_platform()
    for name, value in read_dotenv(ROOT / ".env").items():
        os.environ.setdefault(name, value)
    options = read_options(ROOT, os.environ)
    check_data_folder(options.data)
    environment = Environment(ROOT, os.environ)
    if not environment.python.exists():
        # Before a long installation, not after it. The launcher checks these again by itself.
        with LauncherLock(options.data):
            check_port(options)
    set_up(RUN)
    os.chdir(ROOT)
    sys.stdout.flush()
    python = str(environment.python)
    os.execv(python, [python, "-m", "deploy.local.launcher"])  # noqa: S606  no shell is wanted
