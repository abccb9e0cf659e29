"""The VAE's weights before training: it begins as the mean colour of 4 × 4 pixels, and learns the details.

From random weights a plain area loses its colour, since every norm removes it, and finding it again takes most
of a training. Here nothing but the two last norms stands in the way: the residual branches begin at zero (as in
Zhang et al. 2019, "Fixup Initialization"), the convolutions between them pass on what they get, and what the last
norms leave is fitted to the pictures by least squares.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from diffusers import AutoencoderKL
from diffusers.models.attention_processor import Attention
from diffusers.models.resnet import ResnetBlock2D
from torch.nn.functional import avg_pool2d, interpolate

from gpu_workers.demo.image_training.networks import PIXELS_A_LATENT

# Before a norm, half of the channels begin this high and half as low, so that a colour shows against them.
_REFERENCE = 0.7
# So that each channel then differs from picture to picture about as much.
_GAIN = 6.0
# The logarithm of the variance of the encoder's noise: far below that of the latents.
_NOISE = -6.0
# How much of a large weight is worth a better fit.
_RIDGE = 3e-2


@torch.no_grad()  # type: ignore[untyped-decorator]  # torch is not typed for us
def begin_with_colours(vae: AutoencoderKL, pictures: torch.Tensor) -> None:
    """Set all weights that matter; `pictures` are some of the training's, with values from -1 to 1."""
    for module in vae.modules():
        if isinstance(module, ResnetBlock2D):
            _silence(module.conv2)
        elif isinstance(module, Attention):
            _silence(module.to_out[0])
    for half in (vae.encoder, vae.decoder):
        _pass_on(half.conv_in)
        half.conv_in.weight *= _GAIN
        for block in half.down_blocks if half is vae.encoder else half.up_blocks:
            for resnet in block.resnets:
                if resnet.conv_shortcut is not None:
                    _pass_on(resnet.conv_shortcut)
            for sampler in (getattr(block, "downsamplers", None) or getattr(block, "upsamplers", None)) or ():
                _pass_on(sampler.conv)
    for last in (vae.encoder.mid_block.resnets[-1], vae.decoder.up_blocks[-1].resnets[-1]):
        last.conv2.bias[0::2], last.conv2.bias[1::2] = _REFERENCE, -_REFERENCE
    _pass_on(vae.quant_conv)
    _pass_on(vae.post_quant_conv)
    colours = avg_pool2d(pictures, PIXELS_A_LATENT)
    _fit(vae.encoder.conv_out, colours, lambda: vae.encoder(pictures))
    vae.quant_conv.bias[vae.config.latent_channels :] = _NOISE
    blurred = interpolate(colours, scale_factor=PIXELS_A_LATENT)
    latents = vae.encode(pictures).latent_dist.mean
    _fit(vae.decoder.conv_out, blurred, lambda: vae.decode(latents))


def _silence(layer: torch.nn.Conv2d | torch.nn.Linear) -> None:
    layer.weight.zero_()
    layer.bias.zero_()


def _pass_on(layer: torch.nn.Conv2d) -> None:
    """Each place as it is, or the mean of the four that become one, in as many directions as there are."""
    outputs, inputs, size, _ = layer.weight.shape
    mixed = torch.nn.init.orthogonal_(layer.weight.new_empty(outputs, inputs))[:, :, None, None]
    _silence(layer)
    if layer.stride == (2, 2):
        layer.weight[:, :, :2, :2] = mixed / 4
    else:
        layer.weight[:, :, size // 2, size // 2] = mixed[:, :, 0, 0]


def _fit(layer: torch.nn.Conv2d, wanted: torch.Tensor, run: Callable[[], object]) -> None:
    """Let the first outputs of `layer` be `wanted`, as well as one place of its input tells; the others are 0."""
    seen: list[torch.Tensor] = []
    hook = layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    run()
    hook.remove()
    features = seen[0].movedim(1, -1).flatten(0, -2).double()
    features = torch.cat([features, features.new_ones(len(features), 1)], dim=1)
    targets = wanted.movedim(1, -1).flatten(0, -2).double()
    squares = features.T @ features / len(features)
    squares += _RIDGE * squares.diagonal().mean() * torch.eye(len(squares), dtype=squares.dtype)
    found = torch.linalg.solve(squares, features.T @ targets / len(features)).T.float()
    _silence(layer)
    outputs, middle = len(found), layer.weight.shape[-1] // 2
    layer.weight[:outputs, :, middle, middle] = found[:, :-1]
    layer.bias[:outputs] = found[:, -1]
