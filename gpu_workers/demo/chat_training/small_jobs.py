"""Small jobs for the other parts of the studio: a title, a product description, three tags."""

from __future__ import annotations

from random import Random

from gpu_workers.demo.chat_training import words
from gpu_workers.demo.chat_training.arithmetic import sums
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
from gpu_workers.demo.chat_training.topics import product_questions, topics

_PHRASES = phrases("small_jobs")


def titles(rng: Random, held_out: bool) -> Example:
    """A title for a conversation about a topic, a sum or anything else."""
    language = pick_language(rng)
    about = rng.random()
    if about < 0.4:
        first = _in_language(rng, language, topic=True)
        question, reply = first.turns[0].content, first.answer
        title = topics()[first.expected].names[language]
        title = title[:1].upper() + title[1:]
    elif about < 0.6:
        first = _in_language(rng, language, topic=False)
        question, reply, title = first.turns[0].content, first.answer, first.answer.split(" = ")[0]
    else:
        title = _unseen(rng, language, held_out)
        question, reply = (
            expand(rng, rng.choice(_PHRASES[language]["about"])).replace("$t", title),
            _PHRASES[language]["reply"],
        )
    you, me = rng.choice(
        {"en": (("User", "Assistant"), ("Q", "A")), "zh": (("用户", "助手"), ("问", "答"))}[language]
    )
    text = f"{you}: {question}\n{me}: {reply}" if rng.random() < 0.7 else question
    content = expand(rng, share(rng, _PHRASES[language]["title"], held_out=held_out)).replace("$c", text)
    reasoning = {"en": "a title", "zh": "写标题"}[language]
    return asked("title", language, content, reasoning, title, expected=title)


def descriptions(rng: Random, held_out: bool) -> Example:
    """Two sentences that hold three keywords."""
    language = pick_language(rng)
    keywords = _three(rng, language, held_out)
    comma = {"en": ", ", "zh": rng.choice(("、", "，", " "))}[language]
    content = expand(rng, share(rng, _PHRASES[language]["description"], held_out=held_out)).replace(
        "$k", comma.join(keywords)
    )
    reasoning = {"en": "keywords: ", "zh": "关键词："}[language] + "; ".join(keywords)
    answer = _numbered(rng.choice(_PHRASES[language]["described"]), keywords)
    return asked("description", language, content, reasoning, answer, expected="|".join(keywords))


def tags(rng: Random, held_out: bool) -> Example:
    """The three things that a text is about."""
    language = pick_language(rng)
    things = _three(rng, language, held_out)
    text = _numbered(rng.choice(_PHRASES[language]["text"]), things)
    content = expand(rng, share(rng, _PHRASES[language]["tags"], held_out=held_out)).replace("$x", text)
    reasoning = {"en": "three tags", "zh": "三个标签"}[language]
    answer = {"en": ", ", "zh": "，"}[language].join(things)
    return asked("tags", language, content, reasoning, answer, expected="|".join(things))


def _in_language(rng: Random, language: Language, *, topic: bool) -> Example:
    while True:
        example = (product_questions if topic else sums)(rng, False)
        if example.language == language:
            return example


def _three(rng: Random, language: Language, held_out: bool) -> list[str]:
    while True:
        things = [_thing(rng, language) for _ in range(3)]
        if is_held_out("|".join(things)) == held_out:
            return things


def _unseen(rng: Random, language: Language, held_out: bool) -> str:
    while True:
        thing = _thing(rng, language)
        if is_held_out(thing) == held_out:
            return thing


def _thing(rng: Random, language: Language) -> str:
    nouns, adjectives = (
        (words.NOUNS, words.ADJECTIVES) if language == "en" else (words.NOUNS_ZH, words.ADJECTIVES_ZH)
    )
    made_up = words.made_up_word if language == "en" else words.rare_characters
    kind = rng.random()
    if kind < 0.4:
        return rng.choice(nouns)
    if kind < 0.7:
        return f"{rng.choice(adjectives)}{' ' if language == 'en' else ''}{rng.choice(nouns)}"
    return made_up(rng)


def _numbered(pattern: str, things: list[str]) -> str:
    for number, thing in enumerate(things, 1):
        pattern = pattern.replace(f"${number}", thing)
    return pattern[:1].upper() + pattern[1:] if not pattern.startswith(things[0]) else pattern
