"""Teaches the VITS: first to make the right spectra, then to convince a critic that the teacher speaks."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from gpu_workers.demo.precision import half_precision
from gpu_workers.demo.training_run import Course, TrainingRun
from gpu_workers.demo.voice_training.critic import Critic, Opinion
from gpu_workers.demo.voice_training.network import FFT, HOP, TrainedVits
from gpu_workers.demo.voice_training.speech_pool import Batch, Utterance, batch_of
from gpu_workers.demo.voice_training.teacher import SAMPLE_RATE

# isort: split
from TTS.tts.layers.losses import VitsDiscriminatorLoss, VitsGeneratorLoss
from TTS.tts.models.vits import wav_to_mel, wav_to_spec

log = logging.getLogger(__name__)

# From this part of the steps on the critic listens: before, the voice has nothing to convince with, and the steps
# are cheaper.
CRITIC_FROM = 0.5
# Window and mel bands of the spectra that are compared: short ones hear when, long ones how high.
_VIEWS = ((256, 40), (512, 64), (FFT, 80))
_REPORT_STEPS = 50
_REPORTED = ("loss_mel", "loss_kl", "loss_duration", "loss_gen", "loss_feat")


class Pupil(torch.nn.Module):  # type: ignore[misc]  # torch's own types are not read
    """The voice and its critic: one module, so that one checkpoint holds both at the same step."""

    def __init__(self, voice: TrainedVits) -> None:
        super().__init__()
        self.voice = voice
        self.critic = Critic()


class VoiceTraining:
    """The losses: what step `n` learns follows from the seed and `n` alone."""

    def __init__(
        self, pupil: Pupil, pool: Sequence[Utterance], *, seed: int, steps: int, device: str
    ) -> None:
        self._pupil, self._pool, self._seed, self._device = pupil, pool, seed, torch.device(device)
        self._critic_from = round(steps * CRITIC_FROM)
        self._judge_voice = VitsGeneratorLoss(pupil.voice.config)
        self._judge_critic = VitsDiscriminatorLoss(pupil.voice.config)

    def loss_of(self, step: int) -> torch.Tensor:
        """Of the voice, and later of its critic, too: each is steered by its own part only."""
        # The package draws its noise and its segments from the global generator.
        torch.manual_seed((self._seed << 32) + step)
        batch = batch_of(self._pool, self._seed, step).to(self._device)
        outputs = self._speak(batch)
        made, real = outputs["model_outputs"].float(), outputs["waveform_seg"]
        if step < self._critic_from:
            return self._voice_loss(step, batch, outputs, Opinion([], []), Opinion([], []))
        critic = self._pupil.critic
        with half_precision(self._device):
            of_real, of_made = critic(real), critic(made.detach())
            critic.requires_grad_(False)
            heard = critic(made)
            critic.requires_grad_(True)
        critic_loss = self._judge_critic(of_real.scores, of_made.scores)["loss"]
        return self._voice_loss(step, batch, outputs, heard, of_real) + critic_loss

    def _speak(self, batch: Batch) -> dict[str, Any]:
        spectrum = wav_to_spec(batch.waves, FFT, HOP, FFT)
        speakers = {"d_vectors": None, "speaker_ids": None, "language_ids": batch.languages}
        with half_precision(self._device):
            outputs: dict[str, Any] = self._pupil.voice(
                batch.tokens, batch.token_lengths, spectrum, batch.frames, batch.waves, aux_input=speakers
            )
        return outputs

    def _voice_loss(
        self, step: int, batch: Batch, outputs: Mapping[str, Any], heard: Opinion, of_real: Opinion
    ) -> torch.Tensor:
        losses = self._judge_voice(
            mel_slice=spectra(outputs["waveform_seg"]),
            mel_slice_hat=spectra(outputs["model_outputs"].float()),
            z_p=outputs["z_p"],
            logs_q=outputs["logs_q"],
            m_p=outputs["m_p"],
            logs_p=outputs["logs_p"],
            z_len=batch.frames,
            scores_disc_fake=heard.scores,
            feats_disc_fake=heard.features,
            feats_disc_real=of_real.features,
            loss_duration=outputs["loss_duration"],
        )
        if step % _REPORT_STEPS == 0:
            values = ((name, torch.as_tensor(losses[name]).item()) for name in _REPORTED)
            log.info("step %d: %s", step, "  ".join(f"{name} {value:.3f}" for name, value in values))
        loss: torch.Tensor = losses["loss"]
        return loss


def spectra(waves: torch.Tensor) -> torch.Tensor:
    """The logarithmic mel spectra of waves [n, 1, samples] in several resolutions, side by side in one row each."""
    views = (
        wav_to_mel(waves, window, bands, SAMPLE_RATE, window // 4, window, 0, None)
        for window, bands in _VIEWS
    )
    return torch.cat([view.flatten(1) for view in views], dim=1)


def train_voice(
    state: Path, pupil: Pupil, pool: Sequence[Utterance], *, seed: int, steps: int, device: str
) -> Pupil:
    """The averaged networks after `steps`; goes on from the state on disk."""
    training = VoiceTraining(pupil, pool, seed=seed, steps=steps, device=device)
    course = Course(steps, rate=1e-3, warm_up=200, memory=0.999)
    trained = TrainingRun(pupil, course, state / "voice.safetensors").run(training.loss_of)
    assert isinstance(trained, Pupil)  # noqa: S101  what TrainingRun was given
    return trained
