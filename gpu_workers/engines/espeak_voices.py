"""Which of eSpeak NG's voices is meant by a language, a voice's name or a timbre."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from gpu_workers.engines.base import EngineError
from gpu_workers.engines.espeak_pool import EspeakVoice
from gpu_workers.engines.sentences import Style

# What people call a language, and what eSpeak NG calls it.
_ALIASES = {
    "zh": "cmn",
    "zh-cn": "cmn",
    "zh-hans": "cmn",
    "zh-hant": "cmn",
    "zh-sg": "cmn",
    "zh-tw": "cmn",
    "zh-hk": "yue",
    "zh-mo": "yue",
    "zh-yue": "yue",
    "en": "en-us",
    "en-uk": "en-gb",
    "fr": "fr-fr",
    "no": "nb",
    "iw": "he",
    "jp": "ja",
    "kr": "ko",
    "cn": "cmn",
    "es-mx": "es-419",
    "tl": "fil",
}


class VoiceChoice:
    """Finds the voice for a language, or by its name, or a voice of the language with a named timbre."""

    def __init__(self, voices: Sequence[EspeakVoice], variants: Sequence[EspeakVoice]) -> None:
        self._languages: dict[str, EspeakVoice] = {}
        for voice in voices:
            self._languages.setdefault(voice.language.lower(), voice)
        self._voices = {
            name.lower(): voice for voice in voices for name in (voice.name, voice.identifier, voice.language)
        } | self._languages
        self._variants = {name.lower(): v.identifier for v in variants for name in (v.name, v.identifier)}

    def voice(self, style: Style) -> str:
        """What to call the voice in eSpeak NG. Raises EngineError `unknown_language` or `unknown_voice`."""
        base = self._of_language(style.language or "en-us")
        if not style.voice:
            return base.identifier
        name, _, timbre = style.voice.strip().lower().partition("+")
        if not timbre and name in self._variants:
            name, timbre = "", name
        if (name and name not in self._voices) or (timbre and timbre not in self._variants):
            raise self._unknown_voice(style.voice)
        identifier = (self._voices[name] if name else base).identifier
        return f"{identifier}+{self._variants[timbre]}" if timbre else identifier

    def _of_language(self, language: str) -> EspeakVoice:
        """The voice of `zh-CN`, `zh`, or of the same language elsewhere."""
        code = language.strip().lower().replace("_", "-")
        while code:
            code = _ALIASES.get(code, code)
            if code in self._languages:
                return self._languages[code]
            if "-" not in code:
                break
            code = code.rpartition("-")[0]
        elsewhere = sorted(known for known in self._languages if known.startswith(f"{code}-")) if code else []
        if elsewhere:
            return self._languages[elsewhere[0]]
        raise self._unknown_language(language)

    def _unknown_language(self, language: str) -> EngineError:
        names = {voice.name.lower(): voice.language for voice in self._languages.values()}
        wanted = language.strip().lower()
        codes = [
            *(names[name] for name in get_close_matches(wanted, names, 3, 0.6)),
            *get_close_matches(wanted, self._languages, 4, 0.4),
        ]
        near = ", ".join(dict.fromkeys(codes)) or "en-us, cmn, es, fr-fr, de"
        return EngineError(
            "unknown_language",
            f"eSpeak NG has no language {language!r}. Near it: {near}. It has "
            f"{len(self._languages)}; use a code such as `en`, `zh` or `de`.",
        )

    def _unknown_voice(self, voice: str) -> EngineError:
        known = {**{v.name.lower(): v.name for v in self._voices.values()}, **self._variants}
        near = [known[name] for name in get_close_matches(voice.strip().lower(), known, 4, 0.4)]
        return EngineError(
            "unknown_voice",
            f"eSpeak NG has no voice {voice!r}. Near it: {', '.join(near) or 'f3, m3, Annie'}. Leave it out to get the "
            "language's own voice.",
        )
