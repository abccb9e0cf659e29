"""Sets the trained voice to its teacher's speed."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from gpu_workers.demo.voice_training.network import TrainedVits
from gpu_workers.demo.voice_training.speech_pool import Batch, Utterance, collate

_SENTENCES = 128
_SCALES = torch.linspace(0.5, 2.0, 151)


@torch.no_grad()  # type: ignore[untyped-decorator]  # torch is not typed for us
def fitted_length_scale(voice: TrainedVits, pool: Sequence[Utterance]) -> float:
    """By what to stretch the predicted durations, so that training sentences take as long as the teacher's.

    A predictor of logarithms aims at the middle of what it saw, which is less than the mean.
    """
    batch = collate(pool[:_SENTENCES]).to(voice.emb_l.weight.device)
    predicted = _durations(voice, batch)
    # Rounded up to whole frames, as the package does.
    frames = torch.stack([(predicted * scale).ceil().sum() for scale in _SCALES])
    return round(float(_SCALES[(frames - batch.frames.sum()).abs().argmin()]), 2)


def _durations(voice: TrainedVits, batch: Batch) -> torch.Tensor:
    """Frames of each token, not rounded yet; 0 for padding."""
    languages = voice.emb_l(batch.languages).unsqueeze(-1)
    hidden, _, _, mask = voice.text_encoder(batch.tokens, batch.token_lengths, lang_emb=languages)
    durations: torch.Tensor = voice.duration_predictor(hidden, mask, lang_emb=languages).exp() * mask
    return durations
