"""Ways to ask: frames around what people do and around things, politeness, and typing as people type."""

from __future__ import annotations

import re
from functools import cache
from random import Random

from gpu_workers.demo.chat_training.examples import Language, expand, expansions, share
from gpu_workers.demo.chat_training.phrases import phrases

_FRAMES = phrases("questions")
# Which frames go around "do X" and "n X".
_MARKS = {"do ": "do", "n ": "thing"}
_TYPOS_IN = 0.06
_NEW_WAY_IN = 0.6


def ways_to_ask(rng: Random, language: Language, ways: tuple[str, ...], *, held_out: bool) -> str:
    """A question about what `ways` name. Held out: the way or the frame around it is one never trained."""
    if held_out:
        return _held_out_question(rng, language, ways)
    own = [way for way in ways if not way.startswith("*")]
    while True:
        thing = expand(rng, rng.choice(own))
        question = framed(rng, language, thing)
        if _bare(thing) not in _kept_things(ways) and not _is_kept(language, question, ways):
            return typed(rng, language, question)


def _held_out_question(rng: Random, language: Language, ways: tuple[str, ...]) -> str:
    new_ways = [way for way in ways if way.startswith("*")]
    # Whole questions have no frame that could be new.
    to_frame = [way for way in ways if way.startswith(("do ", "n "))]
    if to_frame and rng.random() >= _NEW_WAY_IN:
        return framed(rng, language, expand(rng, rng.choice(to_frame)), new_frame=True)
    return framed(rng, language, expand(rng, rng.choice(new_ways).removeprefix("*")))


def framed(rng: Random, language: Language, thing: str, *, new_frame: bool = False) -> str:
    """`do X` and `n X` within a frame; anything else as it is."""
    for mark, frames in _MARKS.items():
        if thing.startswith(mark):
            frame = expand(rng, share(rng, _FRAMES[language][frames], held_out=new_frame))
            return _joined(frame, thing.removeprefix(mark), language)
    return thing


@cache
def _kept_things(ways: tuple[str, ...]) -> frozenset[str]:
    """What the evaluation's ways stand for. Two patterns that read differently may still meet in one of these."""
    kept = (way.removeprefix("*") for way in ways if way.startswith("*"))
    return frozenset(_bare(thing) for way in kept for thing in expansions(way))


def _is_kept(language: Language, question: str, ways: tuple[str, ...]) -> bool:
    """Whether the evaluation may ask this: in one of its frames, or one of its things in any frame."""
    bare = _bare(question)
    if bare in _kept_things(ways):
        return True
    inside = ((kept, frame.fullmatch(bare)) for kept, frame in _frames(language))
    return any(found and (kept or found[1] in _kept_things(ways)) for kept, found in inside)


@cache
def _frames(language: Language) -> list[tuple[bool, re.Pattern[str]]]:
    """All frames with what stands for X as their group, and whether they are the evaluation's."""
    return [
        (
            frame.startswith("*"),
            re.compile("(.+)".join(re.escape(_bare(part)) for part in text.split("X", 1))),
        )
        for mark in _MARKS.values()
        for frame in _FRAMES[language][mark]
        for text in expansions(frame.removeprefix("*"))
    ]


def _bare(text: str) -> str:
    """Without what says how it is framed, and without what people leave out."""
    for mark in _MARKS:
        text = text.removeprefix(mark)
    return text.lower().rstrip("?.？。")


def typed(rng: Random, language: Language, question: str) -> str:
    """As people type: without the mark at the end, in small letters, politely, now and then with a slip."""
    if rng.random() < 0.25:
        question = question.rstrip("?.？。")
    if language == "en" and rng.random() < 0.25:
        question = question.lower()
    if rng.random() < 0.08:
        question = question.rstrip("?.？。") + rng.choice(
            {"en": (" please", ", please", "??", " thanks"), "zh": ("谢谢", "，谢谢！", "？？", "呢", "啊")}[
                language
            ]
        )
    if rng.random() < _TYPOS_IN and len(question) > 12:
        question = _slip(rng, question)
    return question


def _slip(rng: Random, text: str) -> str:
    """Two neighbours change places, or one is missing or doubled."""
    at = rng.randrange(1, len(text) - 2)
    first, second = text[at], text[at + 1]
    return text[:at] + rng.choice((second + first, first, first + first + second)) + text[at + 2 :]


def _joined(frame: str, thing: str, language: Language) -> str:
    if frame == "X" or (language == "en" and frame.startswith("X")):
        thing = thing[:1].upper() + thing[1:]
    return frame.replace("X", thing, 1) if "X" in frame else frame
