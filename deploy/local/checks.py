"""What must be true before anything is installed or started; each check says in a sentence what is not."""

from __future__ import annotations

import errno
import shutil
import socket
import sys
from pathlib import Path

from deploy.local.options import Options
from deploy.local.trouble import Trouble

INSTALL_BYTES = 6_000_000_000  # the models set with the CUDA build of torch takes 5.3 GB
RUN_BYTES = 200_000_000


def check_platform() -> None:
    """Raises Trouble on Windows: the embedded Redis and the supervisor are for Linux and macOS."""
    if sys.platform == "win32":
        raise Trouble("`make run` works on Linux and macOS. On Windows, run it inside WSL 2 (wsl --install).")


def check_data_folder(data: Path) -> None:
    """Make the data folder, readable by its owner only, and see that it can be written."""
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = data / ".write-probe"
        probe.write_bytes(b"x")
        probe.unlink()
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise _disk_full(data, RUN_BYTES) from error
        raise Trouble(
            f"The data folder {data} cannot be written ({error.strerror}). Give it to this user, or choose "
            "another: make run AIGC_DATA_DIR=/path/to/folder"
        ) from error


def check_disk(folder: Path, needed: int) -> None:
    """Raises Trouble when the disk of `folder` has less than `needed` bytes free."""
    if shutil.disk_usage(_existing(folder)).free < needed:
        raise _disk_full(folder, needed)


def check_port(options: Options) -> None:
    """Raises Trouble when the web process could not listen on the host and port."""
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # A socket in TIME_WAIT from the last run must not look like a running server.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((options.host, options.port))
            probe.listen(1)
        except OSError as error:
            raise Trouble(_port_sentence(options, error)) from error


def port_in_use(options: Options) -> Trouble:
    """What to say when another program listens on the port."""
    return Trouble(_port_sentence(options, OSError(errno.EADDRINUSE, "in use")))


def _port_sentence(options: Options, error: OSError) -> str:
    other = options.port + 1 if options.port < 65535 else 8000
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {options.port} on {options.host} is in use by another program. Stop that program, or "
            f"choose another port: make run PORT={other}"
        )
    if error.errno == errno.EACCES:
        return f"Port {options.port} is reserved for root. Choose one above 1023: make run PORT=8000"
    return f"HOST={options.host} is not an address of this machine ({error}). Try HOST=127.0.0.1."


def _disk_full(folder: Path, needed: int) -> Trouble:
    free = shutil.disk_usage(_existing(folder)).free
    return Trouble(
        f"The disk of {folder} has {free / 1e9:.1f} GB free; {needed / 1e9:.1f} GB are needed. "
        "Free some space and start again."
    )


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder
