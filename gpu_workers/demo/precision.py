"""Half precision where the device computes in it, and not where it would be emulated."""

from __future__ import annotations

import torch


def half_precision(device: torch.device) -> torch.autocast:
    """A context for the forward pass; the weights stay in float32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda" or _has_fast_bfloat16())


def _has_fast_bfloat16() -> bool:
    features = torch.cpu.get_capabilities()
    return bool(features.get("avx512_bf16") or features.get("amx_bf16"))
