"""The part of SSML that the voices know, read into a script. What they do not know is an error that names the place.

Known: speak, p, s, break, prosody (rate, pitch, volume), emphasis, say-as, sub, voice (name, xml:lang), lang, and
xml:lang on speak, p and s. A document type or an entity of its own is refused: they are how XML attacks work.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NoReturn
from xml.parsers import expat

from gpu_workers.engines.base import EngineError
from gpu_workers.engines.sentences import (
    PARAGRAPH_PAUSE_S,
    PLAIN,
    Part,
    Pause,
    Sentence,
    Span,
    Style,
    clean,
    from_parts,
)

MAX_SSML_CHARACTERS = 200_000
MAX_ELEMENTS = 5_000
MAX_DEPTH = 32
MAX_BREAK_S = 10.0
# Factors beyond these are no speech any more.
FACTORS = (0.1, 10.0)

_ATTRIBUTES: dict[str, frozenset[str]] = {
    "speak": frozenset(),  # any: name spaces, version, schema location
    "p": frozenset({"xml:lang"}),
    "s": frozenset({"xml:lang"}),
    "break": frozenset({"time", "strength"}),
    "prosody": frozenset({"rate", "pitch", "volume"}),
    "emphasis": frozenset({"level"}),
    "say-as": frozenset({"interpret-as", "format", "detail"}),
    "sub": frozenset({"alias"}),
    "voice": frozenset({"name", "xml:lang"}),
    "lang": frozenset({"xml:lang"}),
}
_STRENGTHS_S = {"none": 0.0, "x-weak": 0.1, "weak": 0.2, "medium": 0.4, "strong": 0.7, "x-strong": 1.0}
_RATES = {"x-slow": 0.5, "slow": 0.8, "medium": 1.0, "default": 1.0, "fast": 1.25, "x-fast": 1.6}
_PITCHES = {"x-low": 0.7, "low": 0.85, "medium": 1.0, "default": 1.0, "high": 1.15, "x-high": 1.35}
_VOLUMES = {
    "silent": 0.0,
    "x-soft": 0.3,
    "soft": 0.6,
    "medium": 1.0,
    "default": 1.0,
    "loud": 1.4,
    "x-loud": 1.8,
}
_EMPHASES = {
    "strong": Style(rate=0.85, pitch=1.15, volume=1.3),
    "moderate": Style(rate=0.92, pitch=1.08, volume=1.15),
    "none": PLAIN,
    "reduced": Style(rate=1.1, pitch=0.95, volume=0.8),
}
_SPELLED = ("characters", "spell-out", "digits")
_SPOKEN_AS_WRITTEN = (
    "cardinal",
    "number",
    "ordinal",
    "date",
    "time",
    "telephone",
    "unit",
    "currency",
    "address",
)

_TIME = re.compile(r"\+?(\d+(?:\.\d*)?|\.\d+)\s*(ms|s)")
_PERCENT = re.compile(r"([+-]?)(\d+(?:\.\d*)?|\.\d+)%")
_SEMITONES = re.compile(r"([+-](?:\d+(?:\.\d*)?|\.\d+))st")
_DECIBELS = re.compile(r"([+-](?:\d+(?:\.\d*)?|\.\d+))dB", re.IGNORECASE)
_NUMBER = re.compile(r"\d+(?:\.\d*)?|\.\d+")


def parse(ssml: str) -> list[Sentence]:
    """The sentences of an SSML document.

    Raises EngineError `bad_ssml` with the tag and its line and column, or `too_long`.
    """
    if len(ssml) > MAX_SSML_CHARACTERS:
        raise EngineError(
            "too_long",
            f"The SSML has {len(ssml)} characters; {MAX_SSML_CHARACTERS} is the limit. Send it in several jobs.",
        )
    return _Reader().read(ssml)


@dataclass(slots=True)
class _Open:
    """An element that is being read."""

    tag: str
    style: Style
    spelled: bool = False
    muted: bool = False


@dataclass(slots=True)
class _Reader:
    sentences: list[Sentence] = field(default_factory=list)
    block: list[Part] = field(default_factory=list)
    stack: list[_Open] = field(default_factory=list)
    elements: int = 0
    parser: expat.XMLParserType = field(default_factory=lambda: expat.ParserCreate("utf-8"))

    def read(self, ssml: str) -> list[Sentence]:
        parser = self.parser
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        try:
            # A declared encoding speaks of the bytes that the text once was; these bytes are UTF-8.
            parser.Parse(ssml.encode("utf-8", "replace"), True)
        except expat.ExpatError as error:
            reason = expat.errors.messages.get(error.code, "syntax error")
            self._fail(f"is not well-formed: {reason}", error.lineno, error.offset)
        self._close_block()
        return self.sentences

    def _fail(self, complaint: str, line: int | None = None, column: int | None = None) -> NoReturn:
        line = self.parser.CurrentLineNumber if line is None else line
        column = self.parser.CurrentColumnNumber if column is None else column
        raise EngineError("bad_ssml", f"The SSML {complaint} (line {line}, column {column + 1}).")

    def _refuse_doctype(self, *_declaration: object) -> None:
        self._fail("has a document type declaration, which is not allowed; remove <!DOCTYPE ...>")

    # --- what expat reports

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self.elements += 1
        if self.elements > MAX_ELEMENTS or len(self.stack) >= MAX_DEPTH:
            self._fail(f"has more than {MAX_ELEMENTS} elements or is nested deeper than {MAX_DEPTH}")
        self._check(tag, attributes)
        outer = self.stack[-1] if self.stack else _Open("", PLAIN)
        if tag in ("p", "s"):
            self._close_block()
        element = replace(outer, tag=tag, style=self._style(tag, attributes, outer.style))
        if tag == "break":
            # Words before and after a break are two words.
            self.block += [Pause(self._break_s(attributes)), Span(" ", outer.style)]
        elif tag == "say-as":
            element.spelled = self._is_spelled(attributes)
        elif tag == "sub":
            self._text(attributes.get("alias") or self._fail("has a <sub> without alias"))
            element.muted = True
        self.stack.append(element)

    def _end(self, tag: str) -> None:
        self.stack.pop()
        if tag == "s":
            self._close_block()
        elif tag == "p":
            self._close_block(PARAGRAPH_PAUSE_S)

    def _text(self, text: str) -> None:
        element = self.stack[-1]
        if element.muted or not text:
            return
        text = " ".join(clean(text).split("\n"))
        if element.spelled:
            text = " ".join(char for char in text if not char.isspace())
        self.block.append(Span(text, element.style))

    def _close_block(self, pause_s: float | None = None) -> None:
        spoken = from_parts(self.block)
        if spoken:
            last = spoken[-1]
            spoken[-1] = last if pause_s is None else replace(last, pause_s=max(pause_s, last.pause_s))
        elif self.sentences:  # breaks between two sentences
            seconds = sum(part.seconds for part in self.block if isinstance(part, Pause))
            self.sentences[-1] = replace(self.sentences[-1], pause_s=self.sentences[-1].pause_s + seconds)
        self.sentences += spoken
        self.block = []

    # --- tags and attributes

    def _check(self, tag: str, attributes: Mapping[str, str]) -> None:
        if not self.stack and tag != "speak":
            self._fail(f"begins with <{tag}>; the outermost element must be <speak>")
        if tag not in _ATTRIBUTES or (self.stack and tag == "speak"):
            self._fail(f"has a <{tag}>, which is not known here; known: {', '.join(_ATTRIBUTES)}")
        unknown = sorted(set(attributes) - _ATTRIBUTES[tag])
        if unknown and tag != "speak":
            known = ", ".join(sorted(_ATTRIBUTES[tag]))
            self._fail(f"has a <{tag}> with {unknown[0]!r}, which is not known here; known: {known}")
        if self.stack and self.stack[-1].tag in ("break", "sub", "say-as"):
            self._fail(f"has a <{tag}> inside <{self.stack[-1].tag}>, which holds no elements")

    def _style(self, tag: str, attributes: Mapping[str, str], outer: Style) -> Style:
        style = replace(outer, language=attributes.get("xml:lang", outer.language))
        if tag == "prosody":
            style = self._prosody(attributes, style)
        elif tag == "emphasis":
            level = attributes.get("level", "moderate")
            change = _EMPHASES.get(level) or self._bad_value("level", level, _EMPHASES)
            style = replace(
                style,
                rate=style.rate * change.rate,
                pitch=style.pitch * change.pitch,
                volume=style.volume * change.volume,
            )
        elif tag == "voice":
            # Another language without a name asks for that language's own voice.
            style = replace(
                style, voice=attributes.get("name", None if "xml:lang" in attributes else outer.voice)
            )
        elif "xml:lang" in attributes and attributes["xml:lang"] != outer.language:
            style = replace(style, voice=None)
        return style

    def _prosody(self, attributes: Mapping[str, str], outer: Style) -> Style:
        """Words and plain numbers set a factor, percentages, semitones and decibels change the one outside."""
        style = outer
        if "rate" in attributes:
            style = replace(style, rate=self._factor("rate", attributes["rate"], _RATES, outer.rate))
        if "pitch" in attributes:
            style = replace(style, pitch=self._factor("pitch", attributes["pitch"], _PITCHES, outer.pitch))
        if "volume" in attributes:
            style = replace(
                style, volume=self._factor("volume", attributes["volume"], _VOLUMES, outer.volume)
            )
        return style

    def _factor(self, name: str, value: str, words: Mapping[str, float], outer: float) -> float:
        value = value.strip()
        if value in words:
            return words[value]
        if match := _PERCENT.fullmatch(value):
            share = float(match[2]) / 100
            factor = outer * (share if not match[1] else 1 + share if match[1] == "+" else 1 - share)
        elif name == "pitch" and (match := _SEMITONES.fullmatch(value)):
            factor = outer * 2 ** (float(match[1][:8]) / 12)
        elif name == "volume" and (match := _DECIBELS.fullmatch(value)):
            factor = outer * 10 ** (float(match[1][:8]) / 20)
        elif name != "pitch" and _NUMBER.fullmatch(value):
            # SSML counts volume from 0 to 100, rate as a factor.
            factor = float(value) / (100 if name == "volume" else 1)
        else:
            self._bad_value(name, value, words)
        low = 0.0 if name == "volume" else FACTORS[0]
        if not low <= factor <= FACTORS[1]:
            self._fail(
                f"has {name}={value!r}, which is a factor of {factor:g}; it must be {low:g} to {FACTORS[1]:g}"
            )
        return factor

    def _bad_value(self, name: str, value: str, words: Mapping[str, object]) -> NoReturn:
        numbers = {"rate": ", 1.2 or +20%", "pitch": ", +20% or +2st", "volume": ", 80, +20% or +6dB"}.get(
            name, ""
        )
        self._fail(f"has {name}={value!r}; use {', '.join(words)}{numbers}")

    def _break_s(self, attributes: Mapping[str, str]) -> float:
        if "time" not in attributes:
            strength = attributes.get("strength", "medium")
            return (
                _STRENGTHS_S[strength]
                if strength in _STRENGTHS_S
                else self._bad_value("strength", strength, _STRENGTHS_S)
            )
        match = _TIME.fullmatch(attributes["time"].strip())
        if not match:
            self._fail(f"has time={attributes['time']!r}; use a time such as 500ms or 1.5s")
        seconds = float(match[1]) / (1000 if match[2] == "ms" else 1)
        if seconds > MAX_BREAK_S:
            self._fail(f"has a break of {seconds:g} s; {MAX_BREAK_S:g} s is the limit")
        return seconds

    def _is_spelled(self, attributes: Mapping[str, str]) -> bool:
        meaning = attributes.get("interpret-as", "")
        if meaning not in (*_SPELLED, *_SPOKEN_AS_WRITTEN):
            known = ", ".join((*_SPELLED, *_SPOKEN_AS_WRITTEN))
            self._fail(f"has a <say-as> with interpret-as={meaning!r}; known: {known}")
        return meaning in _SPELLED
