"""Conversations that use what was said before: a name, a number, a shorter answer, the other language."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from gpu_workers.demo.chat_training import words
from gpu_workers.demo.chat_training.arithmetic import sums
from gpu_workers.demo.chat_training.everything_else import greetings, unknown_things
from gpu_workers.demo.chat_training.examples import (
    Example,
    Generator,
    Language,
    Turn,
    expand,
    is_held_out,
    pick_language,
    said,
    share,
)
from gpu_workers.demo.chat_training.phrases import phrases
from gpu_workers.demo.chat_training.topics import product_questions, topic_question, topics

_PHRASES = phrases("conversations")
# What is told, in the order of the phrases: a name, a number, a place, a thing.
_VALUES: dict[Language, tuple[Callable[[Random], str], ...]] = {
    "en": (
        words.english_name,
        words.number,
        lambda rng: words.made_up_word(rng).capitalize(),
        words.english_thing,
    ),
    "zh": (words.chinese_name, words.number, words.chinese_village, words.chinese_thing),
}
_BETWEEN: tuple[Generator, ...] = (product_questions, sums, unknown_things, greetings)


def recalled(rng: Random, held_out: bool) -> Example:
    """Something told is asked for some turns later; now and then it was never told."""
    language = pick_language(rng)
    tellings = _PHRASES[language]["told"]
    about = rng.randrange(len(tellings))
    telling = tellings[about]
    value = _value(rng, language, about, held_out)
    question = expand(rng, share(rng, telling["questions"], held_out=held_out))
    contents: list[str] = []
    others = [index for index in range(len(tellings)) if index != about]
    for index in rng.sample(others, rng.choice((0, 0, 1))):
        other = _value(rng, language, index, held_out)
        way = expand(rng, tellings[index]["ways"][0])
        contents += [way.replace("$v", other), tellings[index]["reply"].replace("$v", other)]
    told = rng.random() < 0.88
    if told:
        way = expand(rng, share(rng, telling["ways"], held_out=held_out))
        contents += [way.replace("$v", value), telling["reply"].replace("$v", value)]
    for _ in range(rng.choice((0, 1, 1, 2) if contents else (1, 2))):
        between = _small_talk(rng, language)
        contents += [between.turns[-1].content, between.answer]
    turns = said(*contents, question)
    if not told:
        reasoning = {"en": "not told before", "zh": "之前没有说过"}[language]
        untold = _PHRASES[language]["untold"]
        return Example("recall", language, turns, reasoning, untold, untold)
    reasoning = {"en": f"said before: {value}", "zh": f"之前说过：{value}"}[language]
    return Example("recall", language, turns, reasoning, telling["answer"].replace("$v", value), value)


def replies(rng: Random, held_out: bool) -> Example:
    """The answer to what somebody tells of themselves."""
    language = pick_language(rng)
    tellings = _PHRASES[language]["told"]
    about = rng.randrange(len(tellings))
    value = _value(rng, language, about, held_out)
    way = expand(rng, share(rng, tellings[about]["ways"], held_out=held_out)).replace("$v", value)
    reasoning = {"en": f"to remember: {value}", "zh": f"要记住：{value}"}[language]
    return Example(
        "told", language, said(way), reasoning, tellings[about]["reply"].replace("$v", value), value
    )


def shorter(rng: Random, held_out: bool) -> Example:
    """The same, but shorter."""
    first = _answered_topic(rng)
    topic, language = topics()[first.expected], first.language
    wish = expand(rng, share(rng, _PHRASES[language]["shorter"], held_out=held_out))
    reasoning = topic.reasoning(language) + {"en": ", shorter", "zh": "，简短"}[language]
    turns = (*_before(rng, language), *said(first.turns[0].content, first.answer, wish))
    return Example("shorter", language, turns, reasoning, topic.short_answer(language), topic.id)


def other_language(rng: Random, held_out: bool) -> Example:
    """The same in the other language."""
    first = _answered_topic(rng)
    wanted: Language = "zh" if first.language == "en" else "en"
    topic = topics()[first.expected]
    wish = expand(rng, share(rng, _PHRASES[wanted]["switch"], held_out=held_out))
    turns = (*_before(rng, first.language), *said(first.turns[0].content, first.answer, wish))
    reasoning = topic.reasoning(wanted)
    return Example("other_language", wanted, turns, reasoning, topic.answer(wanted), topic.id)


def after_talk(rng: Random, held_out: bool) -> Example:
    """A question that has nothing to do with what was said before."""
    last = rng.choice(_BETWEEN)(rng, held_out)
    first = _small_talk(rng, pick_language(rng))
    turns = (first.turns[-1], Turn("assistant", first.answer), *last.turns)
    return Example(last.kind, last.language, turns, last.reasoning, last.answer, last.expected)


def _answered_topic(rng: Random) -> Example:
    return topic_question(rng, rng.choice(list(topics().values())), pick_language(rng), held_out=False)


def _before(rng: Random, language: Language) -> tuple[Turn, ...]:
    if rng.random() < 0.7:
        return ()
    talk = _small_talk(rng, language)
    return (talk.turns[-1], Turn("assistant", talk.answer))


def _small_talk(rng: Random, language: Language) -> Example:
    while True:
        talk = rng.choice(_BETWEEN)(rng, False)
        if talk.language == language:
            return talk


def _value(rng: Random, language: Language, about: int, held_out: bool) -> str:
    while True:
        value = _VALUES[language][about](rng)
        if is_held_out(value) == held_out:
            return value
