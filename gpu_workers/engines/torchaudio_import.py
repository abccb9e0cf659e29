"""Makes torchaudio importable beside a torch of another build; import this module before TTS or diffusers.

PyPI's torchaudio is linked to CUDA. Beside a CPU-only torch its extension does not load, and then neither `TTS` nor
diffusers' SDXL pipelines import, though neither needs the extension. Nothing in site-packages is changed.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import TypeVar

log = logging.getLogger(__name__)

_EXTENSION = "torchaudio._extension"
_Function = TypeVar("_Function", bound=Callable[..., object])


def import_torchaudio() -> ModuleType:
    """torchaudio, with a stub in place of its extension when the real one does not load."""
    try:
        return import_module("torchaudio")
    except (ImportError, OSError, RuntimeError) as error:
        # A torchaudio that is not there at all is not ours to hide.
        if isinstance(error, ModuleNotFoundError) and error.name == "torchaudio":
            raise
        log.info("torchaudio's extension does not load beside this torch (%s); going on without it", error)
    _forget("torchaudio")
    sys.modules[_EXTENSION] = _stub()
    return import_module("torchaudio")


def _stub() -> ModuleType:
    stub = ModuleType(_EXTENSION)
    for name, value in (
        ("_IS_TORCHAUDIO_EXT_AVAILABLE", False),
        ("_IS_ALIGN_AVAILABLE", False),
        ("_check_cuda_version", _check_nothing),
        ("fail_if_no_align", _as_it_is),
    ):
        setattr(stub, name, value)
    return stub


def _check_nothing() -> None:
    """There is no extension whose CUDA version could differ from torch's."""


def _as_it_is(function: _Function) -> _Function:
    return function


def _forget(package: str) -> None:
    """Remove what a failed import left half done."""
    for name in [name for name in sys.modules if name == package or name.startswith(f"{package}.")]:
        del sys.modules[name]


torchaudio = import_torchaudio()
