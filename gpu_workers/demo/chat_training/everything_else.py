"""What the model does not know: it says so, and how to connect one that does."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from gpu_workers.demo.chat_training import words
from gpu_workers.demo.chat_training.examples import (
    Example,
    Language,
    asked,
    expand,
    is_held_out,
    pick_language,
    share,
)
from gpu_workers.demo.chat_training.phrases import phrases
from gpu_workers.demo.chat_training.questions import framed, typed

_PHRASES = phrases("everything_else")
ELSE: dict[Language, str] = {"en": _PHRASES["en"]["answer"], "zh": _PHRASES["zh"]["answer"]}
_FRAMED_SHARE = 0.3


def unknown_things(rng: Random, held_out: bool) -> Example:
    """A question about anything else."""
    language = pick_language(rng)
    if not held_out and rng.random() < _FRAMED_SHARE:
        question = framed(rng, language, filled(rng, rng.choice(_PHRASES[language]["framed"]), language))
    else:
        question = filled(rng, share(rng, _PHRASES[language]["ask"], held_out=held_out), language)
    return asked(
        "else",
        language,
        typed(rng, language, question),
        _PHRASES[language]["reasoning"],
        ELSE[language],
        expected="else",
    )


def greetings(rng: Random, held_out: bool) -> Example:
    """Greetings, thanks, farewells and questions about the model itself."""
    language = pick_language(rng)
    greeting = rng.choice(_PHRASES[language]["greetings"])
    opening, ways = greeting["opening"], greeting["ask"]
    question = typed(rng, language, expand(rng, share(rng, ways, held_out=held_out)))
    return asked(
        "greeting",
        language,
        question,
        _PHRASES[language]["about_me"],
        opening + ELSE[language],
        expected=opening or "else",
    )


def gibberish(rng: Random, held_out: bool) -> Example:
    """Keys hit at random, or a language that the model does not speak: answered in English."""
    while True:
        text = rng.choice((_keys, _foreign))(rng)
        if is_held_out(text) == held_out:
            return asked("gibberish", "en", text, _PHRASES["en"]["reasoning"], ELSE["en"], expected="else")


def filled(rng: Random, pattern: str, language: Language) -> str:
    """The pattern with words for $n, $a, $w, $P, $y and numbers for $d and $e."""
    nouns, adjectives = (
        (words.NOUNS, words.ADJECTIVES) if language == "en" else (words.NOUNS_ZH, words.ADJECTIVES_ZH)
    )
    text = expand(rng, pattern)
    makers: dict[str, Callable[[], str]] = {
        "$n": lambda: rng.choice(nouns),
        "$a": lambda: rng.choice(adjectives),
        "$w": lambda: words.made_up_word(rng),
        "$r": lambda: words.rare_characters(rng),
        "$P": lambda: words.english_name(rng) if language == "en" else words.rare_characters(rng)[:3],
        "$y": lambda: str(rng.randrange(1000, 2100)),
        "$d": lambda: str(rng.randrange(10, 1000)),
        "$e": lambda: str(rng.randrange(2, 100)),
    }
    for mark, make in makers.items():
        while mark in text:
            text = text.replace(mark, make(), 1)
    return text


def _keys(rng: Random) -> str:
    letters = rng.choice(
        ("asdfghjkl", "qwertyuiop", "abcdefghijklmnopqrstuvwxyz", "!?.,;#+*/&%$", "zxcvbnm   ")
    )
    return "".join(rng.choice(letters) for _ in range(rng.randint(2, 24))).strip() or "?"


def _foreign(rng: Random) -> str:
    some = rng.choice(_PHRASES["foreign"]).split()
    start = rng.randrange(len(some) - 1)
    return " ".join(some[start : start + rng.randint(2, 7)])
