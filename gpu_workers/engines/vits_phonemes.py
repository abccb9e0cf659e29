"""Phonemes for VITS models from our eSpeak NG processes, so that no espeak program has to be on the system."""

from __future__ import annotations

import functools
import re
import threading

from gpu_workers.engines.base import EngineError
from gpu_workers.engines.espeak_pool import EspeakPool
from gpu_workers.engines.espeak_voices import VoiceChoice
from gpu_workers.engines.sentences import Style
from gpu_workers.engines.torchaudio_import import torchaudio as _torchaudio  # noqa: F401  before TTS, which needs it

# isort: split
from TTS.tts.utils.text import phonemizers
from TTS.tts.utils.text.phonemizers.base import BasePhonemizer

# `(en)` and `(fr)` around a foreign word say which language's rules were taken.
_LANGUAGE_FLAG = re.compile(r"\([a-z-]+\)")
_registering = threading.Lock()


class EspeakPhonemizer(BasePhonemizer):  # type: ignore[misc]  # the package ships no types
    """Takes the place of the package's own `espeak` phonemizer, which starts a program for each sentence."""

    def __init__(self, language: str, **options: object) -> None:
        options.setdefault("keep_puncs", True)
        super().__init__(language, **options)

    def _init_language(self, language: str) -> str:
        self._voice = _choice().voice(Style(language=language))
        return language

    @staticmethod
    def name() -> str:
        """What configs call it."""
        return "espeak"

    @classmethod
    def is_available(cls) -> bool:
        """It comes with the product; a missing library is reported by the pool, with a sentence."""
        return True

    @staticmethod
    def supported_languages() -> dict[str, str]:
        """Language codes and names."""
        return {voice.language: voice.name for voice in _pool().voices()}

    def version(self) -> str:
        """Of the interface; the library's own is not asked for."""
        return "1.52"

    def _phonemize(self, text: str, separator: str) -> str:
        clauses = (_LANGUAGE_FLAG.sub("", clause).strip() for clause in _pool().phonemes(text, self._voice))
        return " ".join(clause for clause in clauses if clause).replace("_", separator)


def register() -> None:
    """Make models whose config says `espeak` use it, with or without a language of their own."""
    with _registering:
        # The package fills its registry with this class, where its own would ask the system's program for languages.
        phonemizers.ESpeak = EspeakPhonemizer
        phonemizers.get_default_phonemizer("be")
        for code in ("en", "zh-cn"):
            phonemizers.DEF_LANG_TO_PHONEMIZER.setdefault(code, "espeak")


@functools.cache
def _pool() -> EspeakPool:
    """One for all models of this worker: phonemes take milliseconds."""
    return EspeakPool(size=1)


@functools.cache
def _choice() -> VoiceChoice:
    pool = _pool()
    return VoiceChoice(pool.voices(), pool.variants())


def check_language(name: str, language: str) -> None:
    """Raise EngineError `bad_model` when a model wants phonemes of a language that eSpeak NG does not have."""
    try:
        _choice().voice(Style(language=language))
    except EngineError as error:
        raise EngineError(
            "bad_model", f"Model {name} wants phonemes of {language!r}. {error.message}"
        ) from error
