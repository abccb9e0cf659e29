"""One launcher per folder: a lock that the kernel lets go when its holder ends, however it ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.local.trouble import Trouble


class LauncherLock:
    """Held while one `make run` uses a data folder. Entering raises Trouble when another holds it."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._path = data / "run" / "launcher.lock"
        self._descriptor = -1

    def __enter__(self) -> Self:
        self._path.parent.mkdir(mode=0o700, exist_ok=True)
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = self._path.read_text().strip() or "unknown"
            os.close(self._descriptor)
            raise Trouble(
                f"AIGC Studio already runs on {self._data} (process {holder}). Use it, stop it with "
                f"`kill {holder}`, or give this one its own folder: make run AIGC_DATA_DIR=data2 PORT=8001"
            ) from error
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)


class SetupLock:
    """Held while the environment is made; a second set-up waits for the first instead of tangling with it."""

    def __init__(self, cache: Path) -> None:
        self._path = cache / "setup.lock"
        self._descriptor = -1

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)
