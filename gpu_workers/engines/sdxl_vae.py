"""From latents to pixels, one image at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from diffusers import AutoencoderKL
from PIL import Image

from gpu_workers.engines.base import EngineError


@contextmanager
def full_precision(vae: AutoencoderKL) -> Iterator[None]:
    """Run the VAE in float32 for a while if its float16 overflows, as SDXL's own does (`force_upcast`)."""
    if not (vae.dtype == torch.float16 and vae.config.force_upcast):
        yield
        return
    vae.to(torch.float32)
    try:
        yield
    finally:
        vae.to(torch.float16)


def decode(vae: AutoencoderKL, latent: torch.Tensor) -> Image.Image:
    """The image of one latent (channels × height × width, as a pipeline returns it).

    One at a time keeps the peak of memory that of one image. Raises EngineError `not_finite` when the
    network's numbers overflowed, which would show as a black picture.
    """
    pixels = vae.decode(_unscaled(vae, latent[None].to(vae.dtype))).sample[0].float()
    if not torch.isfinite(pixels).all():
        raise EngineError(
            "not_finite",
            f"The model's numbers overflowed in {str(vae.dtype).removeprefix('torch.')}; "
            "set its dtype to bfloat16 or float32 in the catalogue.",
        )
    colours = pixels.add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)
    return Image.fromarray(colours.permute(1, 2, 0).cpu().numpy())


def _unscaled(vae: AutoencoderKL, latents: torch.Tensor) -> torch.Tensor:
    mean, std = vae.config.latents_mean, vae.config.latents_std
    if mean is None or std is None:
        return latents / vae.config.scaling_factor
    mean, std = (torch.tensor(values).view(1, -1, 1, 1).to(latents) for values in (mean, std))
    return latents * std / vae.config.scaling_factor + mean
