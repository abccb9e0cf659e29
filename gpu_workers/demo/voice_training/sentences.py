"""What is read aloud: answers and questions of the demo chat, and words in no order, so that every sound comes up."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from random import Random

from gpu_workers.demo.chat_training import words
from gpu_workers.demo.chat_training.everything_else import filled
from gpu_workers.demo.chat_training.examples import Language, is_held_out, pick_language
from gpu_workers.demo.chat_training.phrases import phrases
from gpu_workers.demo.chat_training.topics import topics
from gpu_workers.engines.sentences import from_text, is_speakable

# About one to four seconds.
CHARACTERS = {"en": range(8, 71), "zh": range(3, 17)}
# The phonemizer keeps only the marks of western writing: a pause at another one could not be foreseen.
_UNHEARD_PAUSE = re.compile(r"[，。！？；：、…—（）《》](?=.)")
_WORDS = range(3, 10)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A text of one sentence and its language."""

    text: str
    language: Language


def training_sentence(seed: int, number: int) -> Sentence:
    """Sentence `number` of the endless corpus of this seed; never one of the evaluation's."""
    return next(sentence for sentence in _draw(f"{seed} {number}") if not is_held_out(sentence.text))


def unseen_sentences(count: int) -> list[Sentence]:
    """Different sentences that no training sees, as many in each language."""
    found: dict[Language, dict[str, Sentence]] = {"en": {}, "zh": {}}
    shares: dict[Language, int] = {"en": count - count // 2, "zh": count // 2}
    for sentence in _draw("evaluation"):
        if is_held_out(sentence.text) and len(found[sentence.language]) < shares[sentence.language]:
            found[sentence.language].setdefault(sentence.text, sentence)
        if all(len(found[language]) == shares[language] for language in shares):
            break
    pairs = itertools.zip_longest(found["en"].values(), found["zh"].values())
    return [sentence for pair in pairs for sentence in pair if sentence]


def _draw(seed: str) -> Iterator[Sentence]:
    rng = Random(f"voice {seed}")
    while True:
        language = pick_language(rng)
        text = rng.choice((_answer, _question, _words))(rng, language)
        is_clear = is_speakable(text) and not _UNHEARD_PAUSE.search(text)
        if is_clear and len(text) in CHARACTERS[language]:
            yield Sentence(text, language)


def _answer(rng: Random, language: Language) -> str:
    return rng.choice(_answers(language))


@cache
def _answers(language: Language) -> list[str]:
    """Each sentence of what the demo chat knows."""
    return [sentence.text for topic in topics().values() for sentence in from_text(topic.answer(language))]


def _question(rng: Random, language: Language) -> str:
    pattern = rng.choice(_patterns(language))
    return filled(rng, pattern, language)


@cache
def _patterns(language: Language) -> list[str]:
    """The patterns of questions about anything, those of the chat's own evaluation, too."""
    return [pattern.removeprefix("*") for pattern in phrases("everything_else")[language]["ask"]]


def _words(rng: Random, language: Language) -> str:
    if language == "zh":
        return "".join(rng.choice((words.rare_characters, words.chinese_thing))(rng) for _ in range(3)) + "。"
    makers = (words.made_up_word, words.english_name, words.english_thing)
    spoken = " ".join(rng.choice(makers)(rng) for _ in range(rng.choice(_WORDS)))
    return f"{spoken[:1].upper()}{spoken[1:]}."
