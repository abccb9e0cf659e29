"""Has the product's own engine say what the evaluation asks for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gpu_workers.contract.messages import ModelSpec, VoiceParams
from gpu_workers.demo.voice_training.sentences import Sentence
from gpu_workers.engines.audio import FULL_SCALE, from_wav
from gpu_workers.engines.base import EngineError, Request, SpeechChunk
from gpu_workers.engines.sentences import SENTENCE_PAUSE_S
from gpu_workers.engines.vits import VitsEngine, load


class Speaker:
    """The engine with a loaded voice."""

    def __init__(self, engine: VitsEngine) -> None:
        self._engine = engine

    @property
    def rate(self) -> int:
        """Of the samples, in Hz."""
        return self._engine.sample_rate

    def speak(self, sentence: Sentence) -> NDArray[np.float32]:
        """Samples between -1 and 1, without the pause after a sentence. Raises EngineError."""
        request = Request(VoiceParams(sentence.text, language=sentence.language))
        for _, chunk in self._engine.generate([request]):
            if isinstance(chunk, EngineError):
                raise chunk
            if isinstance(chunk, SpeechChunk):
                samples = from_wav(chunk.wav).samples[: -round(SENTENCE_PAUSE_S * self.rate)]
                return np.divide(samples, FULL_SCALE, dtype=np.float32)
        raise ValueError(f"The engine said nothing for {sentence.text!r}.")


@contextmanager
def loaded(folder: Path) -> Iterator[Speaker]:
    """The voice of a folder, as the demo entry of the catalogue has it."""
    spec = ModelSpec(id="demo-voice", medium="voice", engine="vits", source=str(folder.resolve()))
    engine = load(spec, lambda _: None)
    try:
        yield Speaker(engine)
    finally:
        engine.close()
