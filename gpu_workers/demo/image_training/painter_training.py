"""Teaches the UNet to paint the latents of a scene from its caption."""

from __future__ import annotations

from pathlib import Path
from random import Random

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor

from gpu_workers.demo import together
from gpu_workers.demo.image_training.captions import caption
from gpu_workers.demo.image_training.networks import Painter, TextEncoders, make_scheduler, tokenize
from gpu_workers.demo.image_training.scenes import Objects, Scene, training_scene
from gpu_workers.demo.image_training.tokens import Merges, make_tokenizers
from gpu_workers.demo.precision import half_precision
from gpu_workers.demo.training_run import Course, TrainingRun

BATCH = 64
# Without a caption now and then: guidance needs to know what a picture of anything is.
_DROPPED = 0.1
# How much more often than others a scene is seen that has one group: its exact number and shape are hardest.
_ONE_GROUP = 2.0


class PainterTraining:
    """The training's data: what step `n` sees follows from the seed and `n`."""

    def __init__(
        self,
        painter: torch.nn.Module,
        pool: torch.Tensor,
        tokens: tuple[dict[str, int], Merges],
        *,
        seed: int,
        device: str,
    ) -> None:
        self._painter, self._pool, self._seed, self._device = painter, pool, seed, torch.device(device)
        self._tokenizers = make_tokenizers(*tokens)
        self._kept_signal = make_scheduler().alphas_cumprod
        self._often = [_weight(training_scene(seed, number)) for number in range(len(pool))]

    def loss_of(self, step: int) -> torch.Tensor:
        """The mean squared mistake in v, at times spread over the batch."""
        draw, noise_draw = (
            Random(f"{self._seed} {step}"),
            torch.Generator().manual_seed((self._seed << 32) + step),
        )
        numbers = draw.choices(range(len(self._pool)), self._often, k=BATCH)
        captions = [caption(training_scene(self._seed, number), draw) for number in numbers]
        clean = self._pool[numbers].float()
        noise = torch.randn(clean.shape, generator=noise_draw)
        spread = (torch.arange(BATCH) + torch.rand(BATCH, generator=noise_draw)) / BATCH
        # Oftenest in the middle, where shapes are decided: at the noisy end, where the mistakes are largest, little can
        # be known (logit-normal, as Esser et al. 2024, "Scaling Rectified Flow Transformers").
        times = (torch.special.ndtri(spread).sigmoid() * len(self._kept_signal)).long()
        signal = self._kept_signal[times].sqrt()[:, None, None, None]
        rest = (1 - self._kept_signal[times]).sqrt()[:, None, None, None]
        kept = (torch.rand(BATCH, generator=noise_draw) >= _DROPPED).float()
        noisy, target = signal * clean + rest * noise, signal * noise - rest * clean
        mine = together.my_part()
        tokens = [ids.to(self._device) for ids in tokenize(self._tokenizers, captions[mine])]
        with half_precision(self._device):
            predicted = self._painter(
                noisy[mine].to(self._device),
                times[mine].to(self._device),
                tokens,
                kept[mine].to(self._device),
            )
        return torch.nn.functional.mse_loss(predicted.float(), target[mine].to(self._device))


def _weight(scene: Scene) -> float:
    return _ONE_GROUP if isinstance(scene, Objects) and len(scene.groups) == 1 else 1.0


def train_painter(
    state: Path,
    texts: TextEncoders,
    pool: torch.Tensor,
    tokens: tuple[dict[str, int], Merges],
    *,
    seed: int,
    steps: int,
    device: str,
    compiled: bool,
) -> Painter:
    """The averaged networks after `steps`; goes on from the state on disk."""
    torch.manual_seed(seed)
    painter = Painter(texts).to(device)
    if device == "cpu":
        # Torch's fused attention is slow there on the way back: a quarter of the step.
        painter.unet.set_attn_processor(AttnProcessor())
        painter.unet.to(memory_format=torch.channels_last)
    # Some percent faster, after two minutes of compiling.
    forward = torch.compile(painter) if compiled else painter
    data = PainterTraining(forward, pool, tokens, seed=seed, device=device)
    course = Course(steps, rate=1e-3, warm_up=300, memory=0.999)
    run = TrainingRun(painter, course, state / "painter.safetensors", matrices=_inner_weights(painter.unet))
    trained = run.run(data.loss_of)
    assert isinstance(trained, Painter)  # noqa: S101  what TrainingRun was given
    return trained


def _inner_weights(unet: UNet2DConditionModel) -> list[torch.nn.Parameter]:
    """What Muon teaches: all matrices but those where pictures come in and go out."""
    return [
        parameter
        for name, parameter in unet.named_parameters()
        if parameter.dim() > 1 and not name.startswith(("conv_in.", "conv_out."))
    ]
