"""VITS voices of the TTS package: one model, its speakers and languages, the same samples for the same job every time.

Source of the catalogue entry: a folder with config.json and a checkpoint, `demo:voice`, a hub id, or a name of the TTS
package's own list (`tts_models/en/ljspeech/vits`). Option: `speaker` (what a job without a voice gets).
"""

from __future__ import annotations

import hashlib
import re
import threading
import unicodedata
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from gpu_workers.contract.events import Progress
from gpu_workers.contract.messages import ModelSpec, Voice, VoiceParams
from gpu_workers.engines.audio import Clip, Word, from_float, join, silence
from gpu_workers.engines.base import Chunk, EngineError, ProgressCallback, Request
from gpu_workers.engines.device import module_bytes, pick_device
from gpu_workers.engines.sentences import Pause, Sentence, Span, Style, is_speakable, is_wide
from gpu_workers.engines.speech import phrases, read_script, speak_all, voice_params
from gpu_workers.engines.torchaudio_import import torchaudio
from gpu_workers.engines.vits_files import model_folder
from gpu_workers.engines.vits_model import Spoken, Token, VitsModel

# Slower or faster than this a model only stutters.
RATES = (0.25, 5.0)
PITCHES = (0.5, 2.0)


def load(spec: ModelSpec, progress: ProgressCallback) -> VitsEngine:
    """Load a VITS model on the best device.

    Raises EngineError: `bad_source`, `bad_model`, `unsafe_model`, `no_internet`, and those of `source.resolve`.
    """
    if spec.quantization != "none" or spec.dtype not in ("auto", "float32"):
        raise EngineError(
            "bad_model",
            f"Model {spec.id} wants quantization {spec.quantization} and dtype {spec.dtype}; VITS models are small and "
            "run in float32 only. Set quantization to none and dtype to auto.",
        )
    folder = model_folder(spec, progress)
    progress(Progress(step=0, steps=1, stage="load"))
    engine = VitsEngine(spec, VitsModel.load(spec, folder, pick_device()))
    progress(Progress(step=1, steps=1, stage="load"))
    return engine


class VitsEngine:
    """One VITS model. Many threads may generate at once: sentences take turns on the device."""

    max_batch = 1
    max_wait_s = 0.0

    def __init__(self, spec: ModelSpec, model: VitsModel) -> None:
        self._model = model
        self._speaker = spec.options.get("speaker")
        self._turn = threading.Lock()
        model.speaker(self._speaker)

    @property
    def sample_rate(self) -> int:
        """Of the speech, in Hz."""
        return self._model.rate

    def speakers(self) -> list[str]:
        """The model's speakers; empty when it has one voice without a name."""
        return list(self._model.speakers)

    def languages(self) -> list[str]:
        """The model's languages; empty when it does not say."""
        return list(self._model.languages)

    def voices(self) -> list[Voice]:
        """Each speaker; all of them speak all languages of the model."""
        return [Voice(speaker, speaker, "") for speaker in self.speakers()]

    def batch_key(self, request: Request) -> Hashable:
        """No batches: padding would change the samples."""
        return id(request)

    def generate(self, requests: Sequence[Request]) -> Iterator[tuple[Request, Chunk | EngineError]]:
        """Speak the requests, one after the other.

        Raises EngineError: `unknown_voice`, `unknown_language`, `unspeakable_text`, and those of `read_script`.
        """
        for request in requests:
            params = voice_params(request)
            script = read_script(params)
            speaker = _SentenceSpeaker(self._model, params, self._speaker, self._turn)
            speaker.check(script)
            yield from speak_all(request, script, speaker, self._model.rate)

    def memory_bytes(self) -> int:
        """The weights."""
        return module_bytes(self._model.network)

    def close(self) -> None:
        """Give the weights back."""
        self._model.unload()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


# --- speaking


@dataclass(frozen=True, slots=True)
class _SentenceSpeaker:
    """Speaks the sentences of one request."""

    model: VitsModel
    params: VoiceParams
    default_speaker: str | None
    turn: threading.Lock

    def check(self, script: Sequence[Sentence]) -> None:
        """Look up every speaker and language, so that a bad name fails before a word is spoken."""
        for sentence in script:
            for part in sentence.parts:
                if isinstance(part, Span):
                    self.model.speaker(self._speaker_of(part.style))
                    self.model.language(part.style.language or self.params.language)

    def __call__(self, sentence: Sentence, index: int) -> Clip:
        clips: list[Clip] = []
        for number, run in enumerate(
            phrases(sentence, lambda style: (style.language, style.voice, style.pitch))
        ):
            if isinstance(run, Pause):
                clips.append(silence(run.seconds, self.model.rate))
            elif is_speakable("".join(span.text for span in run)):
                clips.append(self._phrase(run, self._seed(index, number)))
        return join(clips or [silence(0, self.model.rate)])

    def _speaker_of(self, style: Style) -> str | None:
        return style.voice or self.params.voice or self.default_speaker

    def _seed(self, index: int, number: int) -> int:
        """The noise of a phrase depends on the job's text and the phrase's place, on nothing else."""
        text = self.params.ssml or self.params.text or ""
        digest = hashlib.blake2b(
            f"{index}/{number}/{text}".encode("utf-8", "replace"), digest_size=8
        ).digest()
        return int.from_bytes(digest, "big") >> 1

    def _phrase(self, spans: Sequence[Span], seed: int) -> Clip:
        style = spans[0].style
        pitch = round(min(max(style.pitch * self.params.pitch, PITCHES[0]), PITCHES[1]), 2)
        language = self.model.language(style.language or self.params.language)
        tokens = self.model.tokens(spans, language)
        # Played faster, speech is higher and shorter: so it is spoken slower by as much.
        stretch = [
            pitch / min(max(span.style.rate * self.params.speed, RATES[0]), RATES[1]) for span in spans
        ]
        speaker = self.model.speaker(self._speaker_of(style))
        with self.turn:
            spoken = self.model.speak(tokens, stretch=stretch, speaker=speaker, language=language, seed=seed)
        samples = _louder(spoken, tokens, [span.style.volume for span in spans])
        ends = np.cumsum(spoken.token_samples)
        if pitch != 1:
            samples = _resampled(samples, pitch)
            ends = np.rint(ends / pitch).astype(np.int64)
        return Clip(
            from_float(samples, self.model.rate).samples, self.model.rate, tuple(_words(spans, tokens, ends))
        )


def _louder(spoken: Spoken, tokens: Sequence[Token], volumes: Sequence[float]) -> NDArray[np.float32]:
    if all(volume == 1 for volume in volumes):
        return spoken.samples
    factors = np.array([volumes[token.span] for token in tokens], np.float32)
    envelope = np.repeat(factors, spoken.token_samples)[: len(spoken.samples)]
    envelope = np.pad(envelope, (0, len(spoken.samples) - len(envelope)), mode="edge")
    return spoken.samples * envelope


def _resampled(samples: NDArray[np.float32], pitch: float) -> NDArray[np.float32]:
    resampled = torchaudio.functional.resample(torch.from_numpy(samples), round(pitch * 100), 100)
    return np.asarray(resampled.numpy(), np.float32)


def _words(spans: Sequence[Span], tokens: Sequence[Token], ends: NDArray[np.int64]) -> Iterator[Word]:
    """The words of the spans whose spoken form has as many words as the written one; of the others none is known."""
    for index, span in enumerate(spans):
        written = [word for word in _WRITTEN_WORD.findall(span.text) if is_speakable(word)]
        spoken = list(_spoken_words(tokens, index))
        if len(written) != len(spoken):
            continue
        for word, (first, last) in zip(written, spoken, strict=True):
            start = int(ends[first - 1]) if first else 0
            yield Word(word.strip(_PUNCTUATION), start, int(ends[last]) - start)


# A Chinese, Japanese or Korean character is a word of its own.
_WIDE = "\u3041-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
_WRITTEN_WORD = re.compile(f"[{_WIDE}]|[^{_WIDE}\\s]+")
_PUNCTUATION = ".,;:!?…\"'“”‘’«»()[]{}。，；：！？、（）《》「」—–-"


def _spoken_words(tokens: Sequence[Token], span: int) -> Iterator[tuple[int, int]]:
    """The first and the last token of each run of letters (or phonemes) between spaces."""
    letters: list[int] = []
    for place, token in enumerate(tokens):
        if token.span != span:
            continue
        is_word = is_wide(token.char) and token.char.isalnum()
        if letters and (token.char.isspace() or is_word):
            yield letters[0], letters[-1]
            letters = []
        if is_word:
            yield place, place
        elif token.char and unicodedata.category(token.char)[0] in "LMN":
            letters.append(place)
    if letters:
        yield letters[0], letters[-1]
