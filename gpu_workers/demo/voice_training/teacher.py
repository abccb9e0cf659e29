"""The teacher: eSpeak NG, one voice for each language, at the sample rate of the model."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from gpu_workers.demo.voice_training.sentences import Sentence
from gpu_workers.engines.audio import FULL_SCALE
from gpu_workers.engines.espeak import WORDS_PER_MINUTE
from gpu_workers.engines.espeak_pool import EspeakPool
from gpu_workers.engines.espeak_voices import VoiceChoice
from gpu_workers.engines.sentences import Style
from gpu_workers.engines.torchaudio_import import torchaudio

SAMPLE_RATE = 16_000
# The names under which a job may ask for English and Chinese, in the model and in eSpeak NG.
LANGUAGES = {"en": "en-us", "zh": "zh-cn"}
_PITCH, _VOLUME = 50, 100


class Teacher:
    """Speaks sentences as the catalogue's eSpeak NG does without further wishes."""

    def __init__(self) -> None:
        self._pool = EspeakPool(size=1)
        choice = VoiceChoice(self._pool.voices(), self._pool.variants())
        self._voices = {name: choice.voice(Style(language=code)) for name, code in LANGUAGES.items()}

    def speak(self, sentence: Sentence) -> NDArray[np.float32]:
        """Samples between -1 and 1. Raises EngineError like `EspeakPool.speak`."""
        phrase = self._pool.speak(
            sentence.text,
            voice=self._voices[sentence.language],
            words_per_minute=WORDS_PER_MINUTE,
            pitch=_PITCH,
            volume=_VOLUME,
        )
        samples = torch.from_numpy(np.frombuffer(phrase.samples, "<i2").astype(np.float32) / FULL_SCALE)
        resampled = torchaudio.functional.resample(samples, phrase.rate, SAMPLE_RATE)
        return np.asarray(resampled.clamp(-1, 1).numpy(), np.float32)

    def close(self) -> None:
        """End the process."""
        self._pool.close()
