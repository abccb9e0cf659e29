"""What the model learns from: conversations that end in written reasoning and an answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Literal
from zlib import crc32

Language = Literal["en", "zh"]
Role = Literal["system", "user", "assistant"]

_CHOICE = re.compile(r"\{([^{}]*\|[^{}]*)\}")
# What a choice of nothing leaves behind.
_SPACES = re.compile(" +")
_HAN = re.compile(r"[\u4e00-\u9fff]")
# One in ten of what could be asked is kept for the evaluation.
_HELD_OUT_ONE_IN = 10


@dataclass(frozen=True, slots=True)
class Turn:
    """What one side said."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Example:
    """A conversation up to a question, and how it should go on.

    `expected` is what a judge looks for: a topic's id, a number, the span of a passage. `reasoning_only` leaves the
    answer out of training: it follows from the reasoning, and others teach it.
    """

    kind: str
    language: Language
    turns: tuple[Turn, ...]
    reasoning: str
    answer: str
    expected: str = ""
    reasoning_only: bool = False

    def with_system(self, prompt: str) -> Example:
        """The same under a system prompt."""
        return replace(self, turns=(Turn("system", prompt), *self.turns))


# Makes one example, from training's share or from the evaluation's.
Generator = Callable[[Random, bool], Example]


def asked(
    kind: str, language: Language, question: str, reasoning: str, answer: str, *, expected: str
) -> Example:
    """An example of one question."""
    return Example(kind, language, (Turn("user", question),), reasoning, answer, expected)


def said(*contents: str) -> tuple[Turn, ...]:
    """Turns that alternate, beginning with the user."""
    roles: tuple[Role, Role] = ("user", "assistant")
    return tuple(Turn(roles[index % 2], content) for index, content in enumerate(contents))


def is_held_out(thing: str) -> bool:
    """Whether this belongs to the evaluation and never to training: decided by its text alone."""
    return crc32(thing.encode()) % _HELD_OUT_ONE_IN == 0


def expand(rng: Random, pattern: str) -> str:
    """Choose one of each `{a|b}`, the inner ones first."""
    while choice := _CHOICE.search(pattern):
        chosen = rng.choice(choice[1].split("|"))
        pattern = pattern[: choice.start()] + chosen + pattern[choice.end() :]
    return _SPACES.sub(" ", pattern).strip()


def expansions(pattern: str) -> Iterator[str]:
    """Everything that `expand` can make of the pattern."""
    choice = _CHOICE.search(pattern)
    if choice is None:
        yield _SPACES.sub(" ", pattern).strip()
        return
    for chosen in choice[1].split("|"):
        yield from expansions(pattern[: choice.start()] + chosen + pattern[choice.end() :])


def language_of(text: str) -> Language:
    """Chinese as soon as there is a Chinese character."""
    return "zh" if _HAN.search(text) else "en"


def pick_language(rng: Random) -> Language:
    """Both languages in equal shares."""
    return rng.choice(("en", "zh"))


def share(rng: Random, ways: Sequence[str], *, held_out: bool) -> str:
    """One of the ways that belong to this share; those with a * are the evaluation's."""
    own = [way for way in ways if way.startswith("*") == held_out]
    return rng.choice(own).removeprefix("*")
