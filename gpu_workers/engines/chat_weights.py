"""Smaller weights: 8 or 4 bits for those of the linear layers, while everything between them stays as it was.

On a CPU torch's own kernels do it. Only the weights are rounded, never the activations by a scale over the
batch, so a chat's result does not depend on its neighbours.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import torch
from torch import nn
from transformers import BitsAndBytesConfig

from gpu_workers.contract.messages import ModelSpec
from gpu_workers.engines.base import EngineError

INT4_GROUP = 32
INT8_LIMIT, INT4_LIMIT = 127, 15
# The CPU kernels want these multiples.
_INT4_ROWS, _INT8_ROWS = 32, 8


def check_quantization(spec: ModelSpec, device: str) -> None:
    """Raise EngineError `quantization_unavailable` when `device` cannot run the weights that `spec` wants."""
    if spec.quantization == "none" or device == "cpu":
        return
    if device == "cuda" and find_spec("bitsandbytes"):
        return
    missing = (
        "the package bitsandbytes, which is not installed" if device == "cuda" else "a CPU or an NVIDIA GPU"
    )
    raise EngineError(
        "quantization_unavailable",
        f"Model {spec.id} wants {spec.quantization} weights; on {device} that needs {missing}. "
        "Set its quantization to none, or run the worker with AIGC_DEVICE=cpu.",
    )


def loading_options(spec: ModelSpec, device: str) -> dict[str, Any]:
    """What `from_pretrained` must know to load smaller weights on a GPU; nothing on a CPU."""
    if spec.quantization == "none" or device != "cuda":
        return {}
    wanted = {"load_in_8bit": True} if spec.quantization == "int8" else {"load_in_4bit": True}
    return {"quantization_config": BitsAndBytesConfig(**wanted)}


def shrink_on_cpu(model: nn.Module, spec: ModelSpec) -> None:
    """Replace the linear layers of a loaded model in place; those of odd sizes and the output layer stay."""
    if spec.quantization == "none":
        return
    # The output layer decides between close tokens and its shape is read elsewhere.
    keep = {id(model.get_output_embeddings())} if hasattr(model, "get_output_embeddings") else set()
    for parent in list(model.modules()):
        for name, layer in list(parent.named_children()):
            if type(layer) is not nn.Linear or id(layer) in keep:
                continue
            smaller = _smaller(layer, spec.quantization)
            if smaller is not None:
                setattr(parent, name, smaller)


def _smaller(layer: nn.Linear, quantization: str) -> nn.Module | None:
    if quantization == "int8" and layer.out_features % _INT8_ROWS == 0:
        return Int8Linear(layer)
    fits = layer.in_features % INT4_GROUP == 0 and layer.out_features % _INT4_ROWS == 0
    return Int4Linear(layer) if quantization == "int4" and fits else None


class Int8Linear(nn.Module):  # type: ignore[misc]  # torch is not typed for us
    """A linear layer with one scale for each output: weight [out, in] as int8."""

    weight: torch.Tensor
    scales: torch.Tensor

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        weight = layer.weight.detach().float()
        scales = weight.abs().amax(1).clamp(min=1e-9) / INT8_LIMIT
        self.register_buffer("weight", torch.round(weight / scales[:, None]).to(torch.int8))
        self.register_buffer("scales", scales.to(torch.bfloat16))
        self.bias = layer.bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[..., in] to [..., out]. The kernel is fast for bfloat16 only."""
        rows = x.reshape(-1, x.shape[-1]).to(torch.bfloat16)
        y = torch._weight_int8pack_mm(rows, self.weight, self.scales)  # noqa: SLF001  no public name yet
        y = y.to(x.dtype).reshape(*x.shape[:-1], -1)
        return y if self.bias is None else y + self.bias


class Int4Linear(nn.Module):  # type: ignore[misc]  # torch is not typed for us
    """A linear layer with a scale and an offset for each 32 inputs: weight [out, in] in half bytes."""

    weight: torch.Tensor
    scales: torch.Tensor

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        groups = layer.weight.detach().float().reshape(layer.out_features, -1, INT4_GROUP)
        low, high = groups.amin(-1), groups.amax(-1)
        scale = ((high - low) / INT4_LIMIT).clamp(min=1e-9)
        codes = ((groups - low[..., None]) / scale[..., None]).round().clamp(0, INT4_LIMIT)
        codes = codes.reshape(layer.out_features, -1).to(torch.int32)
        packed = torch._convert_weight_to_int4pack_for_cpu(codes, 1)  # noqa: SLF001  no public name yet
        # The kernel counts from the middle code: value = (code - 8) * scale + offset.
        middle = low + scale * ((INT4_LIMIT + 1) // 2)
        self.register_buffer("weight", packed)
        self.register_buffer(
            "scales", torch.stack([scale, middle], -1).transpose(0, 1).contiguous().bfloat16()
        )
        self.bias = layer.bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[..., in] to [..., out]. The kernel is fast for bfloat16 only."""
        rows = x.reshape(-1, x.shape[-1]).to(torch.bfloat16)
        multiply = torch._weight_int4pack_mm_for_cpu  # noqa: SLF001  no public name yet
        y = multiply(rows, self.weight, INT4_GROUP, self.scales)
        y = y.to(x.dtype).reshape(*x.shape[:-1], -1)
        return y if self.bias is None else y + self.bias
