"""Latents of many scenes, made once: the UNet sees each scene often, under a new caption each time."""

from __future__ import annotations

import logging
from pathlib import Path

import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save_file

from gpu_workers.demo import together
from gpu_workers.demo.image_training.scenes import training_scene
from gpu_workers.demo.image_training.vae_training import encode, to_pixels

log = logging.getLogger(__name__)

SHARD = 128
_AT_ONCE = 32


def make_pool(vae: AutoencoderKL, folder: Path, *, seed: int, scenes: int) -> torch.Tensor:
    """Latents of the first training scenes: scenes × channels × height × width, in float16.

    `folder` keeps what is done, in shards; `scenes` is rounded up to whole ones.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = {first: folder / f"scenes-{first:07d}.safetensors" for first in range(0, scenes, SHARD)}
    for first, file in list(files.items())[together.my_part()]:
        if not file.exists():
            scratch = file.with_suffix(".part")
            save_file({"latents": _encoded(vae, seed, first)}, scratch)
            scratch.replace(file)
            log.info("latents of %d scenes", first + SHARD)
    together.wait_for_all()
    return torch.cat([load_file(file)["latents"] for file in files.values()])


def _encoded(vae: AutoencoderKL, seed: int, first: int) -> torch.Tensor:
    parts = []
    for start in range(first, first + SHARD, _AT_ONCE):
        scenes = [training_scene(seed, number) for number in range(start, start + _AT_ONCE)]
        parts.append(encode(vae, to_pixels(scenes)).half())
    return torch.cat(parts).contiguous()
