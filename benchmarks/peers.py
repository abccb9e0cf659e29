"""`python -m benchmarks.peers [NAME ...]`: environments of the peers, from PyPI, under benchmarks/.venvs.

Never a dependency: the suite measures a peer when its environment is there and says so when it is not.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

VENVS = Path(__file__).parent / ".venvs"


@dataclass(frozen=True, slots=True)
class PeerEnvironment:
    """What to install, and the program that shows that it is there."""

    name: str
    requirement: str
    program: str
    python: str = "3.11"

    @property
    def folder(self) -> Path:
        """Where the environment lies."""
        return VENVS / self.name

    @property
    def command(self) -> Path:
        """The peer's program."""
        return self.folder / "bin" / self.program

    def is_there(self) -> bool:
        """Whether it was installed."""
        return self.command.is_file()

    def version(self) -> str:
        """The installed version, such as 1.2.3."""
        package = self.requirement.partition("[")[0].replace("-", "_")
        for info in self.folder.glob(f"lib/python3*/site-packages/{package}-*.dist-info"):
            return info.name.removesuffix(".dist-info").partition("-")[2]
        return "unknown"


LITELLM = PeerEnvironment("litellm", "litellm[proxy]", "litellm")
OPEN_WEBUI = PeerEnvironment("open-webui", "open-webui", "open-webui")
ENVIRONMENTS = {each.name: each for each in (LITELLM, OPEN_WEBUI)}


def make(environment: PeerEnvironment) -> None:
    """Install afresh. Raises CalledProcessError; what was there before is gone then."""
    uv = find_uv()
    shutil.rmtree(environment.folder, ignore_errors=True)
    subprocess.run([uv, "venv", "--quiet", "--python", environment.python, environment.folder], check=True)
    python = environment.folder / "bin" / "python"
    subprocess.run([uv, "pip", "install", "--python", python, environment.requirement], check=True)


def find_uv() -> str:
    """The uv of the PATH or beside this Python. Raises FileNotFoundError with what to do."""
    found = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    if found is None:
        raise FileNotFoundError("uv is not on the PATH; install it (pip install uv) and start again.")
    return found


def main() -> int:
    """Make the environments that are asked for, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__.split("\n", 1)[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(ENVIRONMENTS)}; all if none")
    names = parser.parse_args().names or list(ENVIRONMENTS)
    if unknown := sorted(set(names) - set(ENVIRONMENTS)):
        parser.error(f"no peer is called {unknown[0]!r}; known: {', '.join(ENVIRONMENTS)}")
    for name in names:
        environment = ENVIRONMENTS[name]
        try:
            make(environment)
        except (subprocess.CalledProcessError, FileNotFoundError) as error:
            print(f"{name} could not be installed: {error}")
            return 1
        print(f"{name} {environment.version()} is in {environment.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
