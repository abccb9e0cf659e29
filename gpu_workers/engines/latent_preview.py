"""Small pictures of an image that is still being made: one matrix product instead of the VAE."""

from __future__ import annotations

from io import BytesIO
from typing import Self

import torch
from diffusers import AutoencoderKL
from PIL import Image

MAX_SIDE = 128
_JPEG_QUALITY = 60

# The colour that each of the four channels of SDXL's own VAE stands for, in 0..255. From "Explaining the SDXL
# latent space" (Timothy Alexis Vass, huggingface.co/blog/TimothyAlexisVass).
_SDXL_MATRIX = ((60.0, 60.0, 60.0), (-60.0, -5.0, 10.0), (25.0, 15.0, -5.0), (-70.0, -50.0, -35.0))
_SDXL_BIAS = (150.0, 140.0, 130.0)
_SDXL_SCALING, _SDXL_WIDTHS = 0.13025, (128, 256, 512, 512)

_SAMPLES, _SAMPLE_SIDE = 16, 16


class LatentPreview:
    """The linear map from latents to colours that comes closest to a VAE's decoder."""

    def __init__(self, matrix: torch.Tensor, bias: torch.Tensor) -> None:
        """`matrix` is channels × 3, `bias` 3; their results are colours in 0..255."""
        self._matrix, self._bias = matrix.float().cpu(), bias.float().cpu()

    @classmethod
    def of(cls, vae: AutoencoderKL) -> Self:
        """The known map of SDXL's own VAE; for another one, a least-squares fit to what it decodes."""
        widths = tuple(vae.config.block_out_channels)
        if (vae.config.scaling_factor, widths) == (_SDXL_SCALING, _SDXL_WIDTHS):
            return cls(torch.tensor(_SDXL_MATRIX), torch.tensor(_SDXL_BIAS))
        return cls._fitted(vae)

    @classmethod
    def _fitted(cls, vae: AutoencoderKL) -> Self:
        channels, draw = vae.config.latent_channels, torch.Generator().manual_seed(0)
        # As smooth as pictures are: even areas or pure noise would show the decoder's odd sides.
        areas = torch.randn(_SAMPLES, channels, 4, 4, generator=draw)
        latents = torch.nn.functional.interpolate(areas, size=_SAMPLE_SIDE, mode="bicubic")
        latents = latents + 0.1 * torch.randn(latents.shape, generator=draw)
        scaled = (latents / vae.config.scaling_factor).to(vae.device, vae.dtype)
        with torch.no_grad():
            pixels = vae.decode(scaled).sample.float().cpu()
        colours = torch.nn.functional.adaptive_avg_pool2d(pixels, _SAMPLE_SIDE).add(1).mul(127.5)
        ones = torch.ones(_SAMPLES * _SAMPLE_SIDE**2, 1)
        known = torch.cat([latents.movedim(1, -1).reshape(-1, channels), ones], dim=1)
        solution = torch.linalg.lstsq(known, colours.movedim(1, -1).reshape(-1, 3)).solution
        return cls(solution[:-1], solution[-1])

    def jpeg(self, latent: torch.Tensor) -> bytes:
        """A JPEG of at most MAX_SIDE pixels a side; `latent` is channels × height × width, noisy or not."""
        latent = latent.detach().float().cpu()
        # Schedulers disagree about the size of a noisy latent (Euler's starts at 14); a clean one is near 1.
        latent = latent / latent.std().clamp(min=1.0)
        colours = torch.einsum("chw,cr->hwr", latent, self._matrix) + self._bias
        image = Image.fromarray(colours.nan_to_num().clamp(0, 255).byte().numpy())
        image.thumbnail((MAX_SIDE, MAX_SIDE))
        file = BytesIO()
        image.save(file, "JPEG", quality=_JPEG_QUALITY)
        return file.getvalue()
