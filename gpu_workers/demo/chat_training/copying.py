"""Practice in copying: long lists of all kinds of words, said again as they were."""

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
)

_ASK: dict[Language, tuple[str, ...]] = {
    "en": (
        "{Repeat|Copy|Say again|Write again}: LIST",
        "{Please r|R}epeat after me: LIST",
        "LIST\n{Repeat|Copy} {this|it}.",
        "Say: LIST",
    ),
    "zh": ("{重复|复述|抄写|再说一遍}：LIST", "{请|}跟我说：LIST", "LIST\n{重复|抄写}一遍。", "说：LIST"),
}
_ITEMS: dict[Language, tuple[Callable[[Random], str], ...]] = {
    "en": (
        words.english_name,
        words.made_up_word,
        words.made_up_word,
        words.code,
        lambda rng: rng.choice(words.NOUNS),
        lambda rng: f"{rng.choice(words.ADJECTIVES)} {rng.choice(words.NOUNS)}",
        lambda rng: str(rng.randrange(10 ** rng.choice((1, 2, 4, 6)))),
    ),
    "zh": (
        words.chinese_name,
        words.rare_characters,
        words.rare_characters,
        words.code,
        lambda rng: rng.choice(words.NOUNS_ZH),
        lambda rng: rng.choice(words.ADJECTIVES_ZH) + rng.choice(words.NOUNS_ZH),
        lambda rng: str(rng.randrange(10 ** rng.choice((1, 2, 4, 6)))),
    ),
}


# How often a list is wanted in practice: the more copies, the more there is to learn from one list.
_TIMES: dict[Language, dict[int, str]] = {
    "en": {1: "once", 2: "twice", 3: "three times", 4: "four times"},
    "zh": {1: "一遍", 2: "两遍", 3: "三遍", 4: "四遍"},
}
_ASK_OFTEN: dict[Language, str] = {"en": "{Repeat|Copy|Write|Say} N: LIST", "zh": "{重复|抄写|说|写}N：LIST"}


def short_lists(rng: Random, held_out: bool) -> Example:
    """As somebody may ask it."""
    size = rng.randint(1, 6)
    language = pick_language(rng)
    text = _list(rng, language, held_out, size)
    return _copied(language, expand(rng, rng.choice(_ASK[language])).replace("LIST", text), text)


def long_lists(rng: Random, held_out: bool) -> Example:
    """For practice: longer, and several times."""
    language = pick_language(rng)
    times = rng.choice(list(_TIMES[language]))
    text = _list(rng, language, held_out, rng.randint(4, 40 // (times + 1)))
    question = expand(rng, _ASK_OFTEN[language]).replace("N", _TIMES[language][times]).replace("LIST", text)
    return _copied(language, question, "\n".join([text] * times))


def _list(rng: Random, language: Language, held_out: bool, size: int) -> str:
    mixed = rng.random() < 0.5
    one_kind = rng.choice(_ITEMS[language])
    comma = {"en": ", ", "zh": "，"}[language] if rng.random() < 0.7 else " "
    while True:
        items = [(rng.choice(_ITEMS[language]) if mixed else one_kind)(rng) for _ in range(size)]
        text = comma.join(items)
        if is_held_out(text) == held_out:
            return text


def _copied(language: Language, question: str, text: str) -> Example:
    reasoning = {"en": "say it again", "zh": "照样重复"}[language]
    return asked("copy", language, question, reasoning, text, expected=text)
