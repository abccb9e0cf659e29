"""Teaches the VAE pictures: scenes to latents and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL

from gpu_workers.demo import together
from gpu_workers.demo.image_training.drawing import paint
from gpu_workers.demo.image_training.networks import LATENT_CHANNELS, make_vae
from gpu_workers.demo.image_training.scenes import Scene, busy_scene, training_scene
from gpu_workers.demo.image_training.vae_start import begin_with_colours
from gpu_workers.demo.precision import half_precision
from gpu_workers.demo.training_run import Course, TrainingRun

BATCH = 6
# Latents with a little noise of their own make a smooth space, in which small mistakes of the UNet stay small.
_SMOOTHNESS = 1e-4
# For what follows from the pictures: where the training begins, and the scale of the latents.
_MEASURED_SCENES = 128


def train_vae(state: Path, *, seed: int, steps: int, device: str) -> AutoencoderKL:
    """The trained VAE with normalised latents; goes on from the state on disk."""
    torch.manual_seed(seed)
    # Channels last: the convolutions of a CPU are a quarter faster.
    vae = make_vae().to(device, memory_format=torch.channels_last)
    some = to_pixels([training_scene(seed, number) for number in range(_MEASURED_SCENES)]).to(device)
    begin_with_colours(vae, some)
    # Adam moves all weights of a convolution alike at first: a rate that rose faster would soon lose the beginning.
    run = TrainingRun(vae, Course(steps, rate=5e-4, warm_up=1500, memory=0.999), state / "vae.safetensors")
    trained = _taught(run, vae, seed, device)
    normalise(trained, some)
    return trained


def train_decoder(state: Path, vae: AutoencoderKL, *, seed: int, steps: int, device: str) -> AutoencoderKL:
    """The VAE with a decoder that draws finer; what it makes of pictures, which the UNet has learnt from, stays."""
    vae.to(device, memory_format=torch.channels_last)
    vae.requires_grad_(False)
    for part in (vae.post_quant_conv, vae.decoder):
        part.requires_grad_(True)
    run = TrainingRun(vae, Course(steps, rate=3e-4, warm_up=100, memory=0.995), state / "decoder.safetensors")
    # Other scenes than before.
    return _taught(run, vae, seed + 1, device)


def _taught(run: TrainingRun, vae: AutoencoderKL, seed: int, device: str) -> AutoencoderKL:
    def loss_of(step: int) -> torch.Tensor:
        scenes = _scenes(seed, step)[together.my_part()]
        pictures = to_pixels(scenes).to(device, memory_format=torch.channels_last)
        draw = torch.Generator().manual_seed((seed << 32) + step)
        return _loss(vae, pictures, draw)

    return run.run(loss_of).to(memory_format=torch.contiguous_format)


def to_pixels(scenes: list[Scene]) -> torch.Tensor:
    """The painted scenes as the VAE takes them: scenes × 3 × height × width, from -1 to 1."""
    pixels = torch.from_numpy(np.stack([np.asarray(paint(scene)) for scene in scenes]))
    return pixels.movedim(-1, 1).float().div(127.5).sub(1).contiguous()


def encode(vae: AutoencoderKL, pixels: torch.Tensor) -> torch.Tensor:
    """The latents of pictures, without the encoder's noise, in float32."""
    with torch.no_grad(), half_precision(vae.device):
        latents: torch.Tensor = vae.encode(pixels.to(vae.device)).latent_dist.mean
    return latents.float().cpu()


def normalise(vae: AutoencoderKL, pixels: torch.Tensor) -> None:
    """Give each latent channel mean 0 and standard deviation 1 over the pictures.

    The change goes into the two 1 × 1 convolutions around the latents, so that the scaling factor stays 1
    and no pipeline has to know of a mean.
    """
    with torch.no_grad():
        latents = torch.cat([encode(vae, part) for part in pixels.split(32)]).movedim(1, -1)
        flat = latents.reshape(-1, LATENT_CHANNELS).to(vae.device)
        mean, deviation = flat.mean(0), flat.std(0)
        into, out_of = vae.quant_conv, vae.post_quant_conv
        out_of.bias += out_of.weight[:, :, 0, 0] @ mean
        out_of.weight *= deviation[None, :, None, None]
        into.weight[:LATENT_CHANNELS] /= deviation[:, None, None, None]
        into.bias[:LATENT_CHANNELS] = (into.bias[:LATENT_CHANNELS] - mean) / deviation
        into.bias[LATENT_CHANNELS:] -= 2 * deviation.log()


def _scenes(seed: int, step: int) -> list[Scene]:
    """Every second one busy: plain scenes are mostly even areas, and outlines are what takes long to learn."""
    numbers = range(step * BATCH, (step + 1) * BATCH)
    return [training_scene(seed, number) if number % 2 else busy_scene(seed, number) for number in numbers]


def _loss(vae: AutoencoderKL, pictures: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    with half_precision(vae.device):
        encoded = vae.encode(pictures).latent_dist
        shape = (BATCH, *encoded.mean.shape[1:])
        noise = torch.randn(shape, generator=draw)[together.my_part()].to(encoded.mean.device)
        decoded = vae.decode(encoded.mean + encoded.std * noise).sample
    mistake = decoded.float() - pictures
    # Edges, counted once more: they are a small part of flat pictures and the first thing that people see.
    edges = mistake.diff(dim=-1).abs().mean() + mistake.diff(dim=-2).abs().mean()
    return mistake.abs().mean() + edges + _SMOOTHNESS * encoded.kl().mean() / encoded.mean[0].numel()
