"""From tokens to what a reader sees: whole characters, reasoning and answer apart, an end at a stop string.

It knows nothing of models or threads: tokens or text go in, pieces come out as early as they are certain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

THINK_OPEN, THINK_CLOSE = "<think>", "</think>"

# What a decoder writes for bytes that are no character, or not yet one.
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
# A character of UTF-8 has at most four bytes, so a longer tail of unfinished tokens is not one in the making.
LONGEST_CHARACTER_BYTES = 4


@dataclass(frozen=True, slots=True)
class Piece:
    """More reasoning, more answer, or both (then the reasoning comes first)."""

    reasoning: str = ""
    text: str = ""

    def __bool__(self) -> bool:
        return bool(self.reasoning or self.text)

    def __add__(self, other: Piece) -> Piece:
        return Piece(self.reasoning + other.reasoning, self.text + other.text)


class TokenText:
    """Turns tokens into text as they come; holds back a token that ends within a character.

    `decode` must give the text of a run of tokens. Each piece is decoded with its predecessors, since some
    vocabularies mark the space before a word and drop it at the beginning. Bytes that never become a
    character are dropped: the reader sees no replacement marks.
    """

    def __init__(self, decode: Callable[[Sequence[int]], str]) -> None:
        self._decode = decode
        self._context: list[int] = []
        self._context_text = ""
        self._pending: list[int] = []

    def feed(self, token: int) -> str:
        """The text that became certain with this token, often of this token alone, sometimes empty."""
        self._pending.append(token)
        text = self._decode(self._context + self._pending)
        if not text.endswith(REPLACEMENT):
            return self._release(len(self._pending), text)
        if len(self._pending) < LONGEST_CHARACTER_BYTES:
            return ""
        # The oldest can no longer become a character; the younger ones still can.
        return self._release(1, self._decode(self._context + self._pending[:1]))

    def finish(self) -> str:
        """What was held back, without the half character that it may end in."""
        return self._release(len(self._pending), self._decode(self._context + self._pending))

    def _release(self, count: int, text: str) -> str:
        fresh = text[len(self._context_text) :]
        self._context, self._pending = self._pending[:count], self._pending[count:]
        self._context_text = self._decode(self._context)
        return fresh.replace(REPLACEMENT, "")


class AnswerStream:
    """Splits text into reasoning and answer and ends the answer at the first stop string.

    Reasoning is what stands between `<think>` at the very beginning and `</think>`; with `opened`, the prompt
    already ended in `<think>`. White space after either tag is dropped, as DeepSeek's API does. Stop strings
    count in the answer only. Text is held back only while it may turn into a tag or a stop string.
    """

    def __init__(self, *, opened: bool = False, stop: Iterable[str] = ()) -> None:
        self._stops = tuple(s for s in stop if s)
        self._state: Literal["start", "reasoning", "answer", "ended"] = "reasoning" if opened else "start"
        self._held = ""
        self._trims = opened

    @property
    def stopped(self) -> bool:
        """Whether a stop string has ended the answer."""
        return self._state == "ended"

    @property
    def awaited_tag(self) -> str:
        """The tag that would mean something if it came next; empty where none does."""
        if self._state == "reasoning":
            return THINK_CLOSE
        return THINK_OPEN if self._state == "start" and not self._held.strip() else ""

    def feed(self, text: str) -> Piece:
        """What the reader may see now."""
        self._held += text
        return self._start() if self._state == "start" else self._rest()

    def finish(self) -> Piece:
        """What was held back, now that nothing follows."""
        piece = Piece()
        if self._state == "start":
            self._state = "answer"
            piece = self._rest()
        held, self._held = self._held, ""
        return piece + (Piece(reasoning=held) if self._state == "reasoning" else Piece(text=held))

    def _start(self) -> Piece:
        """Before anything is certain: a tag to come, a tag, or the answer with its leading white space."""
        seen = self._held.lstrip()
        if seen.startswith(THINK_OPEN):
            self._state, self._trims = "reasoning", True
            self._held = seen.removeprefix(THINK_OPEN)
        elif THINK_OPEN.startswith(seen):
            return Piece()
        else:
            self._state = "answer"
        return self._rest()

    def _rest(self) -> Piece:
        self._trim()
        return self._reasoning() if self._state == "reasoning" else Piece(text=self._answer())

    def _reasoning(self) -> Piece:
        before, tag, after = self._held.partition(THINK_CLOSE)
        if not tag:
            return Piece(reasoning=self._up_to_doubt((THINK_CLOSE,)))
        self._state, self._trims, self._held = "answer", True, after
        self._trim()
        return Piece(reasoning=before, text=self._answer())

    def _answer(self) -> str:
        if self._state == "ended":
            self._held = ""
            return ""
        # The one that is complete first, wherever the borders of tokens are.
        found = [(at + len(stop), at) for stop in self._stops if (at := self._held.find(stop)) >= 0]
        if not found:
            return self._up_to_doubt(self._stops)
        text = self._held[: min(found)[1]]
        self._state, self._held = "ended", ""
        return text

    def _up_to_doubt(self, marks: Sequence[str]) -> str:
        """Take the held text but for an end that may be the beginning of a mark."""
        doubtful = max((_overlap(self._held, mark) for mark in marks), default=0)
        certain = self._held[: len(self._held) - doubtful]
        self._held = self._held[len(certain) :]
        return certain

    def _trim(self) -> None:
        """Drop white space after a tag, over as many pieces as it comes in."""
        if self._trims:
            self._held = self._held.lstrip()
            self._trims = not self._held


def _overlap(text: str, mark: str) -> int:
    """The length of the longest end of `text` that is a beginning of `mark`, but not all of it."""
    longest = min(len(text), len(mark) - 1)
    return next((size for size in range(longest, 0, -1) if text.endswith(mark[:size])), 0)


class AlreadyRead:
    """Leaves out what an earlier attempt gave the reader: the text goes on without a repeat or a gap."""

    def __init__(self, reasoning: str, text: str) -> None:
        self._reasoning, self._text = reasoning, text
        self._differs = False

    @property
    def differs(self) -> bool:
        """Whether what came so far cannot be the beginning that the reader had."""
        return self._differs

    @property
    def missing(self) -> bool:
        """Whether the reader had more than what came so far."""
        return bool(self._reasoning or self._text)

    def pass_on(self, piece: Piece) -> Piece:
        """The part of the piece that is new."""
        reasoning, self._reasoning = self._skip(piece.reasoning, self._reasoning)
        # More reasoning than the reader had, who was at the answer already; or the answer before its time.
        self._differs |= bool(reasoning and self._text) or bool(piece.text and self._reasoning)
        text, self._text = self._skip(piece.text, self._text)
        return Piece(reasoning, text)

    def _skip(self, fresh: str, read: str) -> tuple[str, str]:
        size = min(len(fresh), len(read))
        self._differs |= fresh[:size] != read[:size]
        return fresh[size:], read[size:]
