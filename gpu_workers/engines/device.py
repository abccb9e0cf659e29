"""Where a model runs and in which number format."""

from __future__ import annotations

import os

import torch

from gpu_workers.contract.messages import ModelSpec
from gpu_workers.engines.base import EngineError

DEVICES = ("cuda", "mps", "cpu")
_DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def pick_device() -> str:
    """`cuda`, `mps` or `cpu`: AIGC_DEVICE when set, else the best one this machine has.

    Raises EngineError `device_unavailable` when AIGC_DEVICE names a device that is not there.
    """
    wanted = os.environ.get("AIGC_DEVICE", "").strip().lower()
    if wanted in ("", "auto"):
        return next(device for device in DEVICES if _is_available(device))
    if wanted not in DEVICES:
        raise EngineError(
            "device_unavailable",
            f"AIGC_DEVICE is {wanted!r}; choose one of {', '.join(DEVICES)}, or leave it empty.",
        )
    if not _is_available(wanted):
        raise EngineError(
            "device_unavailable",
            f"AIGC_DEVICE is {wanted!r}, but torch {torch.__version__} finds no such device here; "
            "set AIGC_DEVICE=cpu or leave it empty.",
        )
    return wanted


def pick_dtype(spec: ModelSpec, device: str) -> torch.dtype:
    """The number format of the weights: what the catalogue says, else the fastest good one on `device`.

    A CPU gets float32: half precision is emulated on most of them. Raises EngineError `dtype_unknown`.
    """
    if spec.dtype != "auto":
        if spec.dtype not in _DTYPES:
            known = ", ".join(("auto", *_DTYPES))
            raise EngineError(
                "dtype_unknown", f"Model {spec.id} wants dtype {spec.dtype!r}; choose one of {known}."
            )
        return _DTYPES[spec.dtype]
    if device == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    return torch.float16 if device == "mps" else torch.float32


def module_bytes(*modules: torch.nn.Module) -> int:
    """What the parameters and buffers of the modules hold, in bytes; shared storage counts once."""
    storages = {
        tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes()
        for module in modules
        for tensor in (*module.parameters(), *module.buffers())
    }
    return sum(storages.values())


def _is_available(device: str) -> bool:
    if device == "cuda":
        return bool(torch.cuda.is_available())
    return device == "cpu" or bool(torch.backends.mps.is_available())
