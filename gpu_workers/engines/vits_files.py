"""The files of a VITS model: where they lie, how they get there, and reading them without running any code."""

from __future__ import annotations

import functools
import pickle
import re
import shutil
import tempfile
import threading
import zipfile
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import requests
import safetensors.torch
import torch

from gpu_workers.contract.events import Progress
from gpu_workers.contract.messages import ModelSpec
from gpu_workers.engines.base import EngineError, ProgressCallback
from gpu_workers.engines.source import data_dir, resolve
from gpu_workers.engines.torchaudio_import import torchaudio as _torchaudio  # noqa: F401  before TTS, which needs it

# isort: split
from TTS.config import load_config
from TTS.utils.manage import ModelManager

WEIGHT_PATTERNS = ("*.json", "*.safetensors", "*.pth", "*.pth.tar")
LISTED = "tts_models/"
# The TTS package's own names for checkpoints; another is taken when it is the only one.
CHECKPOINTS = ("model_file.pth", "model_file.pth.tar", "model.pth", "checkpoint.pth", "best_model.pth")
_NOT_THE_MODEL = re.compile(r"(speakers?|speaker_ids|model_se|language_ids|d_vectors?)\.")
# Files that a config names: of those only what lies in the model's own folder is read.
_NAMED_FILES = ("speakers_file", "language_ids_file", "d_vector_file")
_ANSWER_TIMEOUT_S = 6.0
_READ_TIMEOUT_S = 30.0
_PIECE_BYTES = 1 << 20
# The largest model of the list has 500 MB; an archive that unpacks to more than this is broken or an attack.
_MAX_UNPACKED_BYTES = 4 << 30


def model_folder(spec: ModelSpec, progress: ProgressCallback) -> Path:
    """The folder of the model's files. Raises EngineError: those of `source.resolve`, all with a sentence."""
    if spec.source.startswith(LISTED):
        return _listed_folder(spec, progress)
    return resolve(spec, progress, allow_patterns=WEIGHT_PATTERNS)


def read_config(spec: ModelSpec, folder: Path) -> Any:
    """The config of the model, for inference only, with the files that it names in `folder`.

    Raises EngineError `bad_model` when it is missing, broken, not of a VITS model, or names code of others.
    """
    path = folder / "config.json"
    if not path.is_file():
        raise _bad_model(spec, f"has no config.json in {folder}")
    try:
        config: Any = load_config(path)
    except (ValueError, TypeError, KeyError, AttributeError, ModuleNotFoundError) as error:
        raise _bad_model(spec, f"has a config.json that the TTS package does not read ({error})") from error
    if config.get("model") != "vits":
        raise _bad_model(spec, f"is a {config.get('model')!r} model, not a vits model")
    # The package imports whatever class stands here.
    characters = config.characters.characters_class if config.characters else None
    if characters and not characters.startswith("TTS."):
        raise _bad_model(spec, f"names characters of its own ({characters!r}), which would run its code")
    arguments = config.model_args
    arguments.init_discriminator = arguments.use_speaker_encoder_as_loss = False
    arguments.speaker_encoder_model_path = arguments.speaker_encoder_config_path = ""
    for holder in (config, arguments):
        for name in _NAMED_FILES:
            if named := holder.get(name):
                holder[name] = _within(spec, folder, named)
    return config


def read_weights(spec: ModelSpec, folder: Path) -> dict[str, torch.Tensor]:
    """The weights of the generator. Raises EngineError `bad_model`, or `unsafe_model` for a pickle with code in it."""
    path = _checkpoint(spec, folder)
    if path.suffix == ".safetensors":
        weights: Any = safetensors.torch.load_file(path)
    else:
        try:
            weights = torch.load(path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            raise EngineError(
                "unsafe_model",
                f"Model {spec.id}: {path.name} is not loaded: it holds more than weights, or is broken, and such a "
                "file can run any program. Take the model from a source you trust, saved as safetensors or as "
                "plain weights.",
            ) from error
        except (RuntimeError, EOFError, OSError) as error:
            raise _bad_model(spec, f"has a checkpoint {path.name} that cannot be read ({error})") from error
        weights = weights.get("model", weights) if isinstance(weights, dict) else weights
    if not isinstance(weights, dict):
        raise _bad_model(spec, f"has a checkpoint {path.name} without weights")
    # The discriminator and a speaker encoder serve training only.
    return {
        name: value for name, value in weights.items() if not name.startswith(("disc.", "speaker_encoder."))
    }


def _bad_model(spec: ModelSpec, complaint: str) -> EngineError:
    return EngineError("bad_model", f"Model {spec.id} {complaint}; correct the source in the catalogue.")


def _within(spec: ModelSpec, folder: Path, named: str | list[str]) -> Any:
    names = named if isinstance(named, list) else [named]
    paths = [folder / Path(name).name for name in names]
    for path in paths:
        if not path.is_file():
            raise _bad_model(spec, f"needs {path.name}, which is not in {folder}")
    found = [str(path) for path in paths]
    return found if isinstance(named, list) else found[0]


def _checkpoint(spec: ModelSpec, folder: Path) -> Path:
    tensors = sorted(folder.glob("*.safetensors"))
    if len(tensors) == 1:
        return tensors[0]
    for name in CHECKPOINTS:
        if (folder / name).is_file():
            return folder / name
    others = [path for path in sorted(folder.glob("*.pth*")) if not _NOT_THE_MODEL.match(path.name)]
    if len(others) == 1:
        return others[0]
    known = ", ".join(("one .safetensors", *CHECKPOINTS))
    raise _bad_model(
        spec, f"has {len(others) or 'no'} checkpoints in {folder}, where one of {known} is expected"
    )


# --- the TTS package's own list of models


class _Downloads(ModelManager):  # type: ignore[misc]  # the package ships no types
    """The package's downloads with time limits and progress, and without painting."""

    def __init__(self, prefix: Path, spec: ModelSpec, progress: ProgressCallback) -> None:
        super().__init__(output_prefix=prefix, progress_bar=False)
        self._spec, self._progress = spec, progress

    def _download_zip_file(self, file_url: str, output_folder: Path, progress_bar: bool) -> None:
        archive = output_folder / "model.zip.part"
        _fetch(self._spec, file_url, archive, self._progress)
        with zipfile.ZipFile(archive) as files:
            if sum(entry.file_size for entry in files.infolist()) > _MAX_UNPACKED_BYTES:
                raise zipfile.BadZipFile(f"unpacks to more than {_MAX_UNPACKED_BYTES >> 30} GB")
            for entry in files.infolist():
                # Flat, as the package wants it; a path cannot lead out of the folder.
                if not entry.is_dir():
                    with (
                        files.open(entry) as source,
                        (output_folder / Path(entry.filename).name).open("wb") as target,
                    ):
                        shutil.copyfileobj(source, target)
        archive.unlink()


def _listed_folder(spec: ModelSpec, progress: ProgressCallback) -> Path:
    root = data_dir() / "models"
    target = root / "tts" / spec.source.replace("/", "--")
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".tts-", dir=root) as scratch:
        downloads = _Downloads(Path(scratch), spec, progress)
        item = _listed(spec, downloads)
        if item.get("repo_id"):
            allowed = tuple(item.get("allow") or WEIGHT_PATTERNS)
            source = ModelSpec(**{**_fields(spec), "source": item["repo_id"]})
            return resolve(source, progress, allow_patterns=allowed)
        _check_reachable(spec, item["github_rls_url"])
        try:
            fresh = downloads.create_dir_and_download_model(spec.source, item, Path(scratch) / "fresh")
            # Whole or not at all; of two processes the first wins.
            fresh.rename(target)
        except (requests.RequestException, zipfile.BadZipFile) as error:
            raise EngineError(
                "download_failed",
                f"The download of {spec.source} broke off ({type(error).__name__}); try again.",
                retryable=True,
            ) from error
        except OSError:
            if not target.is_dir():
                raise
    return target


def _fields(spec: ModelSpec) -> dict[str, Any]:
    return {name: getattr(spec, name) for name in spec.__dataclass_fields__}


def _listed(spec: ModelSpec, downloads: ModelManager) -> dict[str, Any]:
    listed = dict(_items(downloads.models_dict))
    if spec.source not in listed:
        names = [name for name in listed if name.rpartition("/")[2].startswith("vits")]
        near = get_close_matches(spec.source, names, 4, 0.3)
        raise EngineError(
            "bad_source",
            f"Model {spec.id} has source {spec.source!r}, which the TTS package does not list. "
            f"Near it: {', '.join(near)}.",
        )
    return listed[spec.source]


def _items(models: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for language, datasets in models["tts_models"].items():
        for dataset, names in datasets.items():
            for name, item in names.items():
                yield f"{LISTED}{language}/{dataset}/{name}", item


def _check_reachable(spec: ModelSpec, url: str) -> None:
    """Ask for the file, in a thread of its own: a hanging name look-up has no time limit to set."""
    answered, ended = threading.Event(), threading.Event()

    def probe() -> None:
        try:
            requests.head(url, timeout=_ANSWER_TIMEOUT_S)
            answered.set()
        except requests.RequestException:
            answered.clear()
        finally:
            ended.set()

    threading.Thread(target=probe, name="tts-probe", daemon=True).start()
    ended.wait(_ANSWER_TIMEOUT_S + 1)
    if not answered.is_set():
        raise EngineError(
            "no_internet",
            f"Model {spec.id} ({spec.source}) is not on this machine and {url} cannot be reached. "
            "Connect to the internet, set HTTPS_PROXY, or give the path of a local folder as source.",
            retryable=True,
        )


def _fetch(spec: ModelSpec, url: str, path: Path, progress: ProgressCallback) -> None:
    with (
        requests.get(url, stream=True, timeout=(_ANSWER_TIMEOUT_S, _READ_TIMEOUT_S)) as answer,
        path.open("wb") as file,
    ):
        answer.raise_for_status()
        size = int(answer.headers.get("content-length", 0))
        report = functools.partial(Progress, stage="download", unit="bytes")
        for piece in answer.iter_content(_PIECE_BYTES):
            file.write(piece)
            progress(report(step=file.tell(), steps=max(size, file.tell())))
