"""Load a Stable Diffusion XL from its folder, part by part, and put it where there is room for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from diffusers import AutoencoderKL, StableDiffusionXLPipeline, UNet2DConditionModel
from safetensors import SafetensorError
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from gpu_workers.contract.events import Progress
from gpu_workers.contract.messages import ModelSpec
from gpu_workers.engines.base import EngineError, ProgressCallback
from gpu_workers.engines.device import module_bytes, pick_dtype
from gpu_workers.engines.sdxl_plan import Settings
from gpu_workers.engines.source import resolve

# The parts of the pipeline by their folders. Named here and not taken from `model_index.json`, so that a
# folder from anywhere cannot choose which code runs.
_TOKENIZERS = {"tokenizer": CLIPTokenizer, "tokenizer_2": CLIPTokenizer}
_NETWORKS = {
    "text_encoder": CLIPTextModel,
    "text_encoder_2": CLIPTextModelWithProjection,
    "vae": AutoencoderKL,
    "unet": UNet2DConditionModel,
}
_PIPELINES = (
    "StableDiffusionXLPipeline",
    "StableDiffusionXLImg2ImgPipeline",
    "StableDiffusionXLInpaintPipeline",
)
_INDEX = "model_index.json"

# Room for one run beside the weights, in bytes: below it the parts that rest leave the card.
_WORKING_BYTES = 3 * 1024**3


def load_pipeline(
    spec: ModelSpec, settings: Settings, device: str, progress: ProgressCallback
) -> StableDiffusionXLPipeline:
    """The text-to-image pipeline of the model, still in the computer's memory.

    Raises what `source.resolve` raises, and EngineError `bad_model` for a folder that is no complete SDXL.
    """
    _silence_libraries()
    folder = resolve(spec, progress, allow_patterns=_wanted_files(settings.variant))
    index = _read_index(spec, folder)
    dtype = pick_image_dtype(spec, device)
    parts: dict[str, Any] = {}
    steps = len(_TOKENIZERS) + len(_NETWORKS) + 1
    try:
        for name, tokenizer in _TOKENIZERS.items():
            parts[name] = tokenizer.from_pretrained(folder / name, local_files_only=True)
            progress(Progress(step=len(parts), steps=steps, stage="load"))
        for name, network in _NETWORKS.items():
            parts[name] = _load_network(network, folder, name, settings.variant, dtype)
            progress(Progress(step=len(parts), steps=steps, stage="load"))
        parts["scheduler"] = _scheduler_class(index).from_pretrained(folder / "scheduler")
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise EngineError(
            "bad_model",
            f"Model {spec.id}: part {_next_part(parts)!r} in {folder} does not load ({_first_line(error)}). "
            "The folder must hold a complete diffusers SDXL with safetensors weights; fetch it again.",
        ) from error
    progress(Progress(step=steps, steps=steps, stage="load"))
    zeros = bool(index.get("force_zeros_for_empty_prompt", True))
    return StableDiffusionXLPipeline(**parts, force_zeros_for_empty_prompt=zeros, add_watermarker=False)


def place(pipeline: StableDiffusionXLPipeline, settings: Settings, device: str) -> None:
    """Move the pipeline to the device and switch on what saves memory or time there."""
    vae, unet = pipeline.vae, pipeline.unet
    if device == "cuda" if settings.channels_last is None else settings.channels_last:
        unet.to(memory_format=torch.channels_last)
        vae.to(memory_format=torch.channels_last)
    if settings.vae_tiling:
        vae.enable_tiling()  # begins above the VAE's own sample size, so usual sizes stay as they are
    if device == "mps" if settings.attention_slicing is None else settings.attention_slicing:
        pipeline.enable_attention_slicing()
    if _must_offload(pipeline, settings, device):
        pipeline.enable_model_cpu_offload(device=device)
    else:
        pipeline.to(device)


def networks(pipeline: StableDiffusionXLPipeline) -> tuple[torch.nn.Module, ...]:
    """The parts that hold weights."""
    return tuple(getattr(pipeline, name) for name in _NETWORKS)


def pick_image_dtype(spec: ModelSpec, device: str) -> torch.dtype:
    """As for every model, but float16 on a card: its finer steps show in pictures."""
    return torch.float16 if spec.dtype == "auto" and device == "cuda" else pick_dtype(spec, device)


def _silence_libraries() -> None:
    """They paint bars for each part, and log the words that the text encoder cut off, which are private."""
    diffusers.utils.logging.set_verbosity_error()
    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()


def _wanted_files(variant: str) -> tuple[str, ...]:
    """Patterns for the hub: the parts of one variant, without the other formats of such repositories."""
    ending = f".{variant}.safetensors" if variant else ".safetensors"
    weights = [
        f"{name}/{stem}{part}"
        for name in _NETWORKS
        for stem in ("model", "diffusion_pytorch_model")
        for part in (ending, f"-?????-of-?????{ending}", ".safetensors.index*.json")
    ]
    texts = [f"{name}/*.{kind}" for name in _TOKENIZERS for kind in ("json", "txt")]
    configs = [f"{name}/*config.json" for name in (*_NETWORKS, "scheduler")]
    return (_INDEX, *configs, *texts, *weights)


def _read_index(spec: ModelSpec, folder: Path) -> Mapping[str, Any]:
    try:
        index = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EngineError(
            "bad_model",
            f"Model {spec.id}: {folder} has no readable {_INDEX}, so it is no diffusers model; "
            "give the folder that diffusers' save_pretrained wrote.",
        ) from error
    name = index.get("_class_name") if isinstance(index, dict) else None
    if name not in _PIPELINES:
        raise EngineError(
            "bad_model", f"Model {spec.id} in {folder} is a {name}; this engine runs {', '.join(_PIPELINES)}."
        )
    return dict(index)


def _load_network(
    network: type[Any], folder: Path, name: str, variant: str, dtype: torch.dtype
) -> torch.nn.Module:
    # A folder may hold the half-precision variant alone, and nobody should need to say so.
    chosen = variant or ("fp16" if _has_only_half(folder / name) else None)
    # The two libraries call it by different names.
    dtypes = {"dtype" if network.__module__.startswith("transformers.") else "torch_dtype": dtype}
    loaded = network.from_pretrained(
        folder / name, use_safetensors=True, local_files_only=True, variant=chosen, **dtypes
    )
    module: torch.nn.Module = loaded.eval().requires_grad_(False)
    return module


def _has_only_half(folder: Path) -> bool:
    weights = [path.name for path in folder.glob("*.safetensors")]
    return bool(weights) and all(".fp16" in name for name in weights)


def _scheduler_class(index: Mapping[str, Any]) -> type[diffusers.SchedulerMixin]:
    name = index["scheduler"][1]
    found = getattr(diffusers, name, None) if isinstance(name, str) else None
    if not (isinstance(found, type) and issubclass(found, diffusers.SchedulerMixin)):
        raise ValueError(f"diffusers has no scheduler {name!r}")  # noqa: TRY004  a wrong file, not a wrong call
    return found


def _must_offload(pipeline: StableDiffusionXLPipeline, settings: Settings, device: str) -> bool:
    if device == "cpu" or settings.offload == "none":
        return False
    if settings.offload == "model":
        return True
    if device != "cuda":
        return False
    free_bytes, _ = torch.cuda.mem_get_info()
    return int(free_bytes) < module_bytes(*networks(pipeline)) + _WORKING_BYTES


def _next_part(loaded: Mapping[str, Any]) -> str:
    return next(name for name in (*_TOKENIZERS, *_NETWORKS, "scheduler") if name not in loaded)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
