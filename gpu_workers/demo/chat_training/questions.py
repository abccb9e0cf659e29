"""Ways to ask: frames around what people do and around things, politeness, and typing as people type."""

from __future__ import annotations

from random import Random

from gpu_workers.demo.chat_training.examples import Language, expand, share
from gpu_workers.demo.chat_training.phrases import phrases

_FRAMES = phrases("questions")
# Which frames go around "do X" and "n X".
_MARKS = {"do ": "do", "n ": "thing"}
_TYPOS_IN = 0.06


def ways_to_ask(rng: Random, language: Language, ways: tuple[str, ...], *, held_out: bool) -> str:
    """A question about what `ways` name. Held out: the way or the frame around it is one never trained."""
    new_way = held_out and rng.random() < 0.6
    own = [way for way in ways if way.startswith("*") == new_way]
    if held_out and not new_way:  # whole questions have no frame that could be new
        own = [way for way in own if way.startswith(("do ", "n "))] or [
            way for way in ways if way.startswith("*")
        ]
    way = rng.choice(own)
    new_frame = held_out and not way.startswith("*")
    question = framed(rng, language, way.removeprefix("*"), new_frame=new_frame)
    return question if held_out else typed(rng, language, question)


def framed(rng: Random, language: Language, way: str, *, new_frame: bool = False) -> str:
    """`do X` and `n X` within a frame; anything else as it is."""
    for mark, frames in _MARKS.items():
        if way.startswith(mark):
            frame = expand(rng, share(rng, _FRAMES[language][frames], held_out=new_frame))
            thing = expand(rng, way.removeprefix(mark))
            return _joined(frame, thing, language)
    return expand(rng, way)


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
