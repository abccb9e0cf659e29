"""eSpeak NG: over a hundred languages at once, no weights, no GPU.

Options of the catalogue entry: `language` and `voice` (what a job without them gets), `processes` (2).
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from gpu_workers.contract.events import Progress
from gpu_workers.contract.messages import ModelSpec, Voice, VoiceParams
from gpu_workers.engines.audio import Clip, Word, heard_end, join, silence
from gpu_workers.engines.base import Chunk, EngineError, ProgressCallback, Request
from gpu_workers.engines.espeak_pool import PROCESS_BYTES, EspeakPool, Phrase
from gpu_workers.engines.espeak_voices import VoiceChoice
from gpu_workers.engines.sentences import Pause, Sentence, Span, Style, is_wide
from gpu_workers.engines.speech import phrases, read_script, speak_all, voice_params

SAMPLE_RATE = 22050
WORDS_PER_MINUTE = 175
# What the library takes; beyond 450 it speeds up what it has spoken.
RATES = (80, 700)
PITCHES = (0, 99)
VOLUMES = (0, 200)

# The language of a text that does not say it, by its letters: the first range with a letter in the sentence.
_SCRIPTS = (
    (re.compile("[\u3041-\u30ff]"), "ja"),
    (re.compile("[\uac00-\ud7af\u1100-\u11ff]"), "ko"),
    (re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"), "cmn"),
    (re.compile("[\u0400-\u052f]"), "ru"),
    (re.compile("[\u0370-\u03ff]"), "el"),
    (re.compile("[\u0590-\u05ff]"), "he"),
    (re.compile("[\u0600-\u06ff]"), "ar"),
    (re.compile("[\u0900-\u097f]"), "hi"),
    (re.compile("[\u0e00-\u0e7f]"), "th"),
)
_KANA = _SCRIPTS[0][0]


def load(spec: ModelSpec, progress: ProgressCallback) -> EspeakEngine:
    """Start eSpeak NG. Raises EngineError `espeak_missing`, `unknown_language` or `unknown_voice`."""
    progress(Progress(step=0, steps=1, stage="load"))
    pool = EspeakPool(int(spec.options.get("processes", 2)))
    try:
        engine = EspeakEngine(pool, spec.options)
    except EngineError:
        pool.close()
        raise
    progress(Progress(step=1, steps=1, stage="load"))
    return engine


class EspeakEngine:
    """Speaks by a pool of eSpeak NG processes; the samples of a sentence depend on nothing but the sentence."""

    max_batch = 1
    max_wait_s = 0.0

    def __init__(self, pool: EspeakPool, options: Mapping[str, Any]) -> None:
        self._pool = pool
        self._choice = VoiceChoice(pool.voices(), pool.variants())
        self._default = Style(language=options.get("language"), voice=options.get("voice"))
        self._choice.voice(self._default)

    def voices(self) -> list[Voice]:
        """Every voice, by language, and before them the timbres, which speak all languages."""
        voices = [Voice(voice.identifier, voice.name, voice.language) for voice in self._pool.voices()]
        timbres = [Voice(timbre.identifier, timbre.name, "") for timbre in self._pool.variants()]
        return sorted([*voices, *timbres], key=lambda voice: (voice.language, voice.name))

    def languages(self) -> list[str]:
        """Every language that has a voice."""
        return sorted({voice.language for voice in self._pool.voices()})

    def batch_key(self, request: Request) -> Hashable:
        """No batches: each request is alone."""
        return id(request)

    def generate(self, requests: Sequence[Request]) -> Iterator[tuple[Request, Chunk | EngineError]]:
        """Speak the requests, one after the other.

        Raises EngineError: see `read_script`, `VoiceChoice` and `EspeakPool`.
        """
        for request in requests:
            params = voice_params(request)
            script = read_script(params)
            voices = self._voices_of(script, params)
            yield from speak_all(request, script, _SentenceSpeaker(self._pool, params, voices), SAMPLE_RATE)

    def memory_bytes(self) -> int:
        """What the processes hold."""
        return PROCESS_BYTES * self._pool.size

    def close(self) -> None:
        """End the processes."""
        self._pool.close()

    def _voices_of(self, script: Sequence[Sentence], params: VoiceParams) -> Callable[[Style, str], str]:
        """Which voice speaks a style; all are looked up at once, so that a bad name fails before a word is spoken."""
        text = params.ssml or params.text or ""
        # Chinese characters in a text with kana are Japanese.
        han = "ja" if _KANA.search(text) else "cmn"

        def voice_of(style: Style, sentence: str) -> str:
            language = (
                style.language or params.language or self._default.language or _language_of(sentence, han)
            )
            voice = style.voice or params.voice or self._default.voice
            return self._choice.voice(Style(language=language, voice=voice))

        for sentence in script:
            for part in sentence.parts:
                if isinstance(part, Span):
                    voice_of(part.style, sentence.text)
        return voice_of


def _language_of(text: str, han: str) -> str:
    for letters, language in _SCRIPTS:
        if letters.search(text):
            return han if language == "cmn" else language
    return "en-us"


@dataclass(frozen=True, slots=True)
class _SentenceSpeaker:
    """Speaks the sentences of one request."""

    pool: EspeakPool
    params: VoiceParams
    voice_of: Callable[[Style, str], str]

    def __call__(self, sentence: Sentence, _index: int) -> Clip:
        clips = []
        for run in phrases(sentence, lambda style: self.voice_of(style, sentence.text)):
            if isinstance(run, Pause):
                clips.append(silence(run.seconds, SAMPLE_RATE))
            else:
                clips.append(self._phrase(run, self.voice_of(run[0].style, sentence.text)))
        return join(clips)

    def _phrase(self, spans: Sequence[Span], voice: str) -> Clip:
        written = _written(spans, self.params)
        phrase = self.pool.speak(
            written.text,
            voice=voice,
            words_per_minute=_words_per_minute(spans[0].style, self.params),
            pitch=_pitch(spans[0].style, self.params),
            volume=_volume(spans[0].style),
        )
        if phrase.rate != SAMPLE_RATE:
            raise EngineError("espeak_failed", f"eSpeak NG speaks at {phrase.rate} Hz, not {SAMPLE_RATE} Hz.")
        samples = np.frombuffer(phrase.samples, "<i2").astype(np.int16)
        return Clip(samples, SAMPLE_RATE, tuple(_words(written, phrase, samples)))


@dataclass(frozen=True, slots=True)
class _Written:
    """A phrase as eSpeak NG reads it, with commands for changes of style; `places[i]` is where its character i
    stands in the `plain` text."""

    text: str
    plain: str
    places: tuple[int, ...]


def _written(spans: Sequence[Span], params: VoiceParams) -> _Written:
    """Commands are \\x01, a number and a letter: S for speed, P for pitch, A for amplitude. Cleaned text has none."""
    text, plain, places = "", "", []
    before: Style | None = None
    for span in spans:
        style = span.style
        commands = ""
        if before is not None and style != before:
            # The space keeps the word before from taking the event of the word after.
            commands = (
                f" \x01{_words_per_minute(style, params)}S\x01{_pitch(style, params)}P\x01{_volume(style)}A"
            )
        before = style
        places += [len(plain)] * len(commands)
        places += range(len(plain), len(plain) + len(span.text))
        text, plain = text + commands + span.text, plain + span.text
    return _Written(text, plain, tuple(places))


def _words_per_minute(style: Style, params: VoiceParams) -> int:
    return _within(WORDS_PER_MINUTE * style.rate * params.speed, RATES)


def _pitch(style: Style, params: VoiceParams) -> int:
    """eSpeak NG's pitch runs over two octaves: 0 is half, 50 is unchanged, 100 is double."""
    return _within(50 + 50 * math.log2(style.pitch * params.pitch), PITCHES)


def _volume(style: Style) -> int:
    return _within(100 * style.volume, VOLUMES)


def _within(value: float, limits: tuple[int, int]) -> int:
    return round(min(max(value, limits[0]), limits[1]))


def _words(written: _Written, phrase: Phrase, samples: np.ndarray[Any, np.dtype[np.int16]]) -> Iterator[Word]:
    """The words with their times. A word reaches to where the next begins: eSpeak NG's own lengths are wrong for
    Chinese, and of a number it reports each word that it reads it as."""
    begins: list[tuple[int, int]] = []
    for position, sample in phrase.words:
        place = _skip_space(written.plain, written.places[min(max(position, 0), len(written.places) - 1)])
        if (not begins or place > begins[-1][0]) and _begins_word(written.plain, place):
            begins.append((place, sample))
    ends = [*phrase.clause_ends, len(samples)]
    for (place, start), (next_place, next_start) in pairwise([*begins, (len(written.plain), len(samples))]):
        end = heard_end(
            samples, start, min((end for end in (*ends, next_start) if end > start), default=start)
        )
        text = _bare(written.plain[place:next_place])
        if text and end > start:
            yield Word(text, start, end - start)


def _skip_space(text: str, place: int) -> int:
    while place < len(text) - 1 and text[place].isspace():
        place += 1
    return place


def _begins_word(text: str, place: int) -> bool:
    """Not in the middle of `$3.50` or `1,234`; each Chinese character may begin one."""
    before = text[place - 1] if place else " "
    if before.isspace() or is_wide(before) or is_wide(text[place]):
        return True
    return unicodedata.category(before)[0] == "P" and not text[max(place - 2, 0) : place - 1].isalnum()


def _bare(word: str) -> str:
    """Without the space and punctuation around it."""
    while word and unicodedata.category(word[0])[0] in "PZ":
        word = word[1:]
    while word and unicodedata.category(word[-1])[0] in "PZ":
        word = word[:-1]
    return word
