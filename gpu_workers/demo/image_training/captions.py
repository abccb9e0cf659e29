"""Says in English or Chinese what a scene shows, as people would order it; never what it does not show."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Protocol

from gpu_workers.demo.image_training import chinese, english
from gpu_workers.demo.image_training.scenes import Landscape, Objects, Scene


class _Language(Protocol):
    """What both modules of words have."""

    def keywords(self, scene: Scene) -> Sequence[str]: ...

    def describe_objects(self, scene: Objects, draw: Random) -> str: ...

    def describe_landscape(self, scene: Landscape, draw: Random) -> str: ...


LANGUAGES: dict[str, _Language] = {"en": english, "zh": chinese}
_KEYWORD, _STRANGE = 0.08, 0.05
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def caption(scene: Scene, draw: Random) -> str:
    """One of the many ways to order the scene; rarely a keyword alone, or with a word nobody knows."""
    language = draw.choice(tuple(LANGUAGES))
    if draw.random() < _KEYWORD:
        return draw.choice(LANGUAGES[language].keywords(scene))
    text = full_caption(scene, draw, language)
    if draw.random() < _STRANGE:
        # Or a prompt with an unknown word would mean whatever its untrained letters happen to mean.
        return f"{text} {_strange_word(draw)}" if draw.random() < 0.5 else f"{_strange_word(draw)} {text}"
    return text


def full_caption(scene: Scene, draw: Random, language: str) -> str:
    """A caption that names each group with its number and colour, and the background unless it is white."""
    words = LANGUAGES[language]
    if isinstance(scene, Objects):
        return words.describe_objects(scene, draw)
    return words.describe_landscape(scene, draw)


def _strange_word(draw: Random) -> str:
    if draw.random() < 0.5:
        return "".join(draw.choices(_LETTERS, k=draw.randint(2, 8)))
    return "".join(chr(draw.randint(0x4E00, 0x9FA5)) for _ in range(draw.randint(1, 3)))
