"""Where a model's files come from: a folder, a demo that ships or is built on the spot, or the model hub."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, cast

import httpx2
from huggingface_hub import constants, get_session, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from tqdm.auto import tqdm  # type: ignore[import-untyped]  # ships no types

from gpu_workers.contract.events import Progress
from gpu_workers.contract.messages import ModelSpec
from gpu_workers.engines.base import EngineError, ProgressCallback

log = logging.getLogger(__name__)

# What a transformers checkpoint needs; pickled weights (`*.bin`, `*.pt`) are never fetched.
SAFETENSORS_PATTERNS = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja", "LICENSE*")
HUB_PROBE_TIMEOUT_S = 6.0
PROGRESS_INTERVAL_S = 0.25

_DEMO_NAME = re.compile(r"[a-z][a-z0-9_]*")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
# One of these says that a folder holds a model, whatever its library.
_MODEL_MARKS = ("config.json", "model_index.json")
_STAMP = ".built-from"


def resolve(
    spec: ModelSpec, progress: ProgressCallback, *, allow_patterns: Sequence[str] = SAFETENSORS_PATTERNS
) -> Path:
    """The folder with the files of `spec.source`, downloaded or built when it is not here yet.

    `allow_patterns` says which files of a hub repository are wanted. Raises EngineError: `bad_source`,
    `model_not_found`, `no_internet` (within 10 s), `gated_model`, `download_failed` or `no_disk_space`.
    """
    source = spec.source.strip()
    if source.startswith("demo:"):
        return _demo_folder(spec, source.removeprefix("demo:"), progress)
    if source.startswith(("/", "~", "./", "../")):
        return _local_folder(spec, Path(source).expanduser())
    if _HUB_ID.fullmatch(source):
        return _hub_folder(spec, source, progress, allow_patterns)
    raise EngineError(
        "bad_source",
        f"Model {spec.id} has source {source!r}; it must be a folder (starting with / or ~), `demo:NAME`, "
        "or a hub id such as `deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B`.",
    )


def data_dir() -> Path:
    """The folder for what this installation makes and keeps: AIGC_DATA_DIR, else `./data`."""
    return Path(os.environ.get("AIGC_DATA_DIR") or "data").expanduser().resolve()


def _demo_models_dir() -> Path:
    """The folder of the trained demo models: AIGC_DEMO_MODELS_DIR, else where they ship."""
    return Path(os.environ.get("AIGC_DEMO_MODELS_DIR") or Path(__file__).parent.parent / "demo").expanduser()


def _local_folder(spec: ModelSpec, folder: Path) -> Path:
    if not folder.is_dir():
        raise EngineError(
            "model_not_found",
            f"Model {spec.id} should lie in {folder}, but there is no such folder on this worker; "
            "copy it there or correct the source in the catalogue.",
        )
    return folder.resolve()


# --- demo models


def _demo_folder(spec: ModelSpec, name: str, progress: ProgressCallback) -> Path:
    shipped = _demo_models_dir() / name
    builder = f"gpu_workers.demo.tiny_{name}"
    if not _DEMO_NAME.fullmatch(name) or not (_holds_model(shipped) or find_spec(builder)):
        raise EngineError(
            "bad_source", f"Model {spec.id} has source 'demo:{name}', but there is no demo of that name."
        )
    if _holds_model(shipped):
        return shipped
    return _built_folder(builder, data_dir() / "models" / f"tiny-{name}", progress)


def _holds_model(folder: Path) -> bool:
    return any((folder / mark).is_file() for mark in _MODEL_MARKS)


def _built_folder(builder: str, target: Path, progress: ProgressCallback) -> Path:
    """Build beside the target and rename, so that a second process sees all of it or nothing."""
    module = import_module(builder)
    fingerprint = hashlib.sha256(Path(cast(str, module.__file__)).read_bytes()).hexdigest()
    if _is_built(target, fingerprint):
        return target
    progress(Progress(step=0, steps=1, stage="load"))
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as scratch:
        fresh = Path(scratch) / "fresh"
        fresh.mkdir()
        cast(Callable[[Path], None], module.build)(fresh)
        (fresh / _STAMP).write_text(fingerprint)
        _put_in_place(fresh, target, fingerprint, Path(scratch) / "stale")
    progress(Progress(step=1, steps=1, stage="load"))
    return target


def _put_in_place(fresh: Path, target: Path, fingerprint: str, stale: Path) -> None:
    while True:
        try:
            fresh.rename(target)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
        else:
            return
        if _is_built(target, fingerprint):  # another process was first
            return
        try:
            # An older build: readers that have its files open keep them.
            target.rename(stale)
        except FileNotFoundError:
            continue
        shutil.rmtree(stale)


def _is_built(target: Path, fingerprint: str) -> bool:
    try:
        return (target / _STAMP).read_text() == fingerprint
    except (FileNotFoundError, NotADirectoryError):
        return False


# --- the hub


def _hub_folder(spec: ModelSpec, hub_id: str, progress: ProgressCallback, patterns: Sequence[str]) -> Path:
    """A complete cached snapshot is used without asking the hub: a start must not need the internet."""
    wanted: dict[str, Any] = {
        "repo_id": hub_id,
        "revision": spec.revision or None,
        "allow_patterns": list(patterns),
    }
    try:
        return Path(snapshot_download(**wanted, local_files_only=True))
    except HFValidationError as error:
        raise EngineError(
            "bad_source", f"Model {spec.id} has source {hub_id!r}, which is no hub id: {error}"
        ) from error
    except LocalEntryNotFoundError:
        log.info("model %s is not complete in the local cache; asking the hub", spec.id)
    _check_hub_is_reachable(spec, hub_id)
    return _download(spec, hub_id, progress, wanted)


def _download(spec: ModelSpec, hub_id: str, progress: ProgressCallback, wanted: dict[str, Any]) -> Path:
    where = f"{hub_id!r}" + (f" at revision {spec.revision!r}" if spec.revision else "")
    try:
        return Path(snapshot_download(**wanted, tqdm_class=_reporting_bar(progress)))
    except GatedRepoError as error:
        raise EngineError(
            "gated_model",
            f"The hub gives {where} only to accounts that accepted its terms; accept them on its page "
            "and set HF_TOKEN for the gpu worker.",
        ) from error
    except RevisionNotFoundError as error:
        raise EngineError(
            "model_not_found", f"The hub has no {where}; correct the revision in the catalogue."
        ) from error
    except RepositoryNotFoundError as error:
        raise EngineError(
            "model_not_found",
            f"The hub has no {where}, or it is private; correct the source or set HF_TOKEN.",
        ) from error
    except (HfHubHTTPError, httpx2.TransportError, LocalEntryNotFoundError) as error:
        raise EngineError(
            "download_failed",
            f"The download of {where} broke off ({type(error).__name__}); what came is kept, try again.",
            retryable=True,
        ) from error
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        folder = constants.HF_HUB_CACHE
        raise EngineError(
            "no_disk_space",
            f"The disk is full: {where} does not fit into {folder}; make room or set HF_HOME.",
        ) from error


def _check_hub_is_reachable(spec: ModelSpec, hub_id: str) -> None:
    """Ask the hub for anything, in a thread of its own: a hanging name look-up has no time limit to set."""
    endpoint = constants.ENDPOINT
    answered = threading.Event()

    def probe() -> None:
        try:
            get_session().head(endpoint, timeout=HUB_PROBE_TIMEOUT_S)
        except (httpx2.HTTPError, OSError) as error:
            log.info("the model hub does not answer: %r", error)
        else:
            answered.set()
        finally:
            ended.set()

    ended = threading.Event()
    threading.Thread(target=probe, name="hub-probe", daemon=True).start()
    ended.wait(HUB_PROBE_TIMEOUT_S + 1)
    if not answered.is_set():
        raise EngineError(
            "no_internet",
            f"Model {spec.id} ({hub_id}) is not on this machine and the model hub at {endpoint} cannot be "
            "reached. Connect to the internet, set HTTPS_PROXY or HF_ENDPOINT, or use a local folder.",
            retryable=True,
        )


def _reporting_bar(progress: ProgressCallback) -> type[tqdm]:
    """A progress bar class for the hub's library that reports bytes instead of painting.

    The library makes bars for network bytes, for bytes written and for files; the written bytes count.
    """

    class ReportingBar(tqdm):  # type: ignore[misc]  # tqdm ships no types
        _lock: ClassVar[Any] = threading.RLock()

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self._counts = kwargs.get("unit") == "B" and str(kwargs.get("desc", "")).startswith(
                "Reconstructing"
            )
            self._reported_s = 0.0
            super().__init__(*args, **{**kwargs, "disable": True})
            self.n = 0
            self.total = kwargs.get("total") or 0

        def update(self, n: float | None = 1) -> bool | None:
            with self._lock:
                self.n += int(n or 0)
                now_s = time.monotonic()
                due = now_s - self._reported_s >= PROGRESS_INTERVAL_S or self.n >= (self.total or 0)
                if self._counts and due:
                    self._reported_s = now_s
                    progress(
                        Progress(
                            step=self.n,
                            steps=max(self.n, int(self.total or 0)),
                            stage="download",
                            unit="bytes",
                        )
                    )
            return None

        def refresh(self, *_args: Any, **_kwargs: Any) -> None:
            """Nothing is painted."""

        def set_description(self, *_args: Any, **_kwargs: Any) -> None:
            """Nothing is painted."""

        set_description_str = set_postfix_str = set_description

    return ReportingBar
