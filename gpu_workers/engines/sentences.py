"""Text as a voice speaks it: cleaned, cut into sentences of bounded length, each with the pause after it.

A script is a list of sentences; a sentence holds spans of text in one style, and pauses. Plain text and SSML
both end up here.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

# Longer sentences make a listener wait and a model run out of memory. A Chinese, Japanese or Korean character
# is about a syllable, so it counts as three letters.
SENTENCE_LIMIT = 300
WIDE_WEIGHT = 3

SENTENCE_PAUSE_S = 0.25
PARAGRAPH_PAUSE_S = 0.5
CUT_PAUSE_S = 0.1


@dataclass(frozen=True, slots=True)
class Style:
    """How a span is spoken. Factors multiply those of the job; None leaves language and voice to the job."""

    rate: float = 1.0
    pitch: float = 1.0
    volume: float = 1.0
    language: str | None = None
    voice: str | None = None


PLAIN = Style()


@dataclass(frozen=True, slots=True)
class Span:
    """Text in one style."""

    text: str
    style: Style = PLAIN


@dataclass(frozen=True, slots=True)
class Pause:
    """Silence inside a sentence."""

    seconds: float


Part = Span | Pause


@dataclass(frozen=True, slots=True)
class Sentence:
    """What is spoken in one go, and the silence after it."""

    parts: tuple[Part, ...]
    pause_s: float = SENTENCE_PAUSE_S

    @property
    def text(self) -> str:
        """The words without style and pauses."""
        return "".join(part.text for part in self.parts if isinstance(part, Span))


class Cut(NamedTuple):
    """One sentence of a text: `text[start:end]`, and the silence after it."""

    start: int
    end: int
    pause_s: float


def clean(text: str) -> str:
    """NFC text without what no voice can say: control characters, direction marks, halves of surrogate pairs."""
    return unicodedata.normalize(
        "NFC", text.replace("\r\n", "\n").replace("\r", "\n").translate(_UNSPEAKABLE)
    )


def is_speakable(text: str) -> bool:
    """Whether there is a letter, a digit or a symbol (such as an emoji) to say."""
    return any(char.isalnum() or unicodedata.category(char) in _SYMBOLS for char in text)


def from_text(text: str) -> list[Sentence]:
    """The sentences of plain text; empty when there is nothing to say."""
    return from_parts([Span(clean(text))])


def from_parts(parts: Sequence[Part]) -> list[Sentence]:
    """The sentences of one block of cleaned spans and pauses; a sentence may run over several spans.

    A pause belongs to the sentence that it interrupts, or that it follows.
    """
    text = "".join(part.text for part in parts if isinstance(part, Span))
    starts = list(_starts(parts))
    places = cuts(text)
    nexts = [*(cut.start for cut in places[1:]), len(text)][: len(places)]
    return [
        _sentence(parts, starts, cut, first=index == 0, following=following)
        for index, (cut, following) in enumerate(zip(places, nexts, strict=True))
    ]


def cuts(text: str, limit: int = SENTENCE_LIMIT) -> list[Cut]:
    """Where the sentences of cleaned text begin and end, none of them weighing more than `limit`.

    What holds nothing to say (a lone bracket, an ellipsis) goes with its neighbour.
    """
    merged: list[Cut] = []
    for start, end, pause_s in _trimmed(text, _ends(text)):
        if start == end:  # the empty line after a full stop
            merged[-1:] = [last._replace(pause_s=max(pause_s, last.pause_s)) for last in merged[-1:]]
        elif merged and not is_speakable(text[start:end]):
            merged[-1] = Cut(merged[-1].start, end, max(pause_s, merged[-1].pause_s))
        elif merged and not is_speakable(text[merged[-1].start : merged[-1].end]):
            merged[-1] = Cut(merged[-1].start, end, pause_s)
        else:
            merged.append(Cut(start, end, pause_s))
    if len(merged) == 1 and not is_speakable(text):
        return []
    return [short for cut in merged for short in _shortened(text, cut, limit)]


# --- sentence ends

_CONTROLS = [chr(code) for code in itertools.chain(range(0x20), range(0x7F, 0xA0)) if chr(code) not in "\n\t"]
_DIRECTION_MARKS = [chr(code) for code in itertools.chain(range(0x202A, 0x202F), range(0x2066, 0x206A))]
_UNSPEAKABLE = {
    **{ord(char): " " for char in _CONTROLS},
    **{ord(char): None for char in (*_DIRECTION_MARKS, "\ufeff")},
    **dict.fromkeys(range(0xD800, 0xE000)),
}
# Other symbols (emoji), currency, mathematics.
_SYMBOLS = ("So", "Sc", "Sm")

_CLOSERS = "\"'”’」』）)】》〉]"
_END = re.compile(
    rf"(?P<wide>[。！？｡]+[。！？｡!?…]*[{re.escape(_CLOSERS)}]*|…{{2,}}[{re.escape(_CLOSERS)}]*)"
    rf"|(?P<narrow>[.!?…।؟۔]+[{re.escape(_CLOSERS)}]*)"
    r"|(?P<paragraph>[ \t]*\n[ \t]*(?:\n[ \t]*)+)"
    r"|(?P<line>[ \t]*\n[ \t]*)"
)
# These never end a sentence; those end none before a number ("no. 5", but "I said no.").
_TITLES = frozenset(
    re.split(" ", "mr mrs ms dr prof rev hon st sr jr gen col capt lt sgt vs e.g i.e cf approx u.s u.k")
)
_BEFORE_NUMBERS = frozenset(re.split(" ", "no nos vol fig figs eq sec ch p pp"))
_LAST_WORD = re.compile(r"[\w.]*$")


def _ends(text: str) -> Iterator[tuple[int, float]]:
    for match in _END.finditer(text):
        kind = match.lastgroup
        if kind == "paragraph":
            yield match.end(), PARAGRAPH_PAUSE_S
        elif (
            kind == "wide"
            or (kind == "line" and not text[match.end() : match.end() + 1].islower())
            or (kind == "narrow" and _ends_sentence(text, match.start(), match.end()))
        ):
            yield match.end(), SENTENCE_PAUSE_S
    yield len(text), SENTENCE_PAUSE_S


def _ends_sentence(text: str, start: int, end: int) -> bool:
    """Whether the `.`, `!` or `?` at `start` ends a sentence rather than an abbreviation or a number."""
    following = text[end : end + 1]
    if following and not following.isspace():
        # Chinese text with ASCII marks has no space after them.
        return is_wide(following) and (text[start] in "!?" or is_wide(text[start - 1 : start]))
    rest = text[end : end + 40].lstrip()
    if rest[:1].islower() and text[start] in ".…":
        return False
    if text[start:end] != ".":
        return True
    word = _LAST_WORD.search(text, max(0, start - 20), start)
    last = word.group().lower() if word else ""
    is_initial = len(last) == 1 and last.isalpha() and text[start - 1].isupper() and bool(rest)
    goes_on = last in _TITLES or (last in _BEFORE_NUMBERS and rest[:1].isdigit())
    return not (goes_on and rest) and not is_initial


def is_wide(char: str) -> bool:
    """Whether a character is Chinese, Japanese or Korean (or empty: False)."""
    return bool(char) and unicodedata.east_asian_width(char) in "WF" and unicodedata.category(char) != "So"


def _trimmed(text: str, ends: Iterable[tuple[int, float]]) -> Iterator[Cut]:
    start = 0
    for end, pause_s in ends:
        piece = text[start:end]
        stripped = piece.strip()
        first = start + len(piece) - len(piece.lstrip()) if stripped else start
        yield Cut(first, first + len(stripped), pause_s)
        start = end


# --- sentences that are too long

_CLAUSE_END = re.compile(r"[,;:，；：、—–]+[\"'”’」』）)]*\s*")
_SPACE = re.compile(r"\s+")


def _weight(char: str) -> int:
    return WIDE_WEIGHT if is_wide(char) else 1


def _shortened(text: str, cut: Cut, limit: int) -> Iterator[Cut]:
    start = cut.start
    while (fits := _fitting(text, start, cut.end, limit)) < cut.end:
        end = _best_cut(text, start, fits)
        stripped = text[start:end].rstrip()
        yield Cut(start, start + len(stripped), CUT_PAUSE_S)
        start = end + len(text[end : cut.end]) - len(text[end : cut.end].lstrip())
    yield Cut(start, cut.end, cut.pause_s)


def _fitting(text: str, start: int, end: int, limit: int) -> int:
    """The last position up to which `text[start:...]` keeps to the limit."""
    weight = 0
    for position in range(start, end):
        weight += _weight(text[position])
        if weight > limit:
            return max(position, start + 1)
    return end


def _best_cut(text: str, start: int, fits: int) -> int:
    """After a clause, else between words, else before a whole character; never in the first third."""
    earliest = start + max(1, (fits - start) // 3)
    for pattern in (_CLAUSE_END, _SPACE):
        found = [match.end() for match in pattern.finditer(text, earliest, fits)]
        if found:
            return found[-1]
    while fits > earliest and unicodedata.category(text[fits]) in ("Mn", "Mc", "Cf"):
        fits -= 1
    return fits


# --- spans of a sentence


def _sentence(
    parts: Sequence[Part], starts: Sequence[int], cut: Cut, *, first: bool, following: int
) -> Sentence:
    """The parts of one sentence; a pause up to the place where the `following` one starts is this one's."""
    found: list[Part] = []
    pause_s = cut.pause_s
    begin = 0 if first else max(bisect_right(starts, cut.start) - 1, 0)
    for part, start in itertools.islice(zip(parts, starts, strict=True), begin, None):
        if start > following:
            break
        if isinstance(part, Span):
            text = part.text[max(cut.start - start, 0) : max(cut.end - start, 0)]
            text = _SPACE.sub(" ", text)
            if any(isinstance(last, Span) and last.text.endswith(" ") for last in found[-1:]):
                text = text.removeprefix(" ")
            found += [Span(text, part.style)] if text else []
        elif start >= cut.end:
            pause_s += part.seconds
        elif first or start > cut.start:
            found.append(part)
    return Sentence(tuple(found), pause_s)


def _starts(parts: Iterable[Part]) -> Iterator[int]:
    position = 0
    for part in parts:
        yield position
        position += len(part.text) if isinstance(part, Span) else 0
