"""The judges of the demo chat model accept the right answer and refuse what is nearly right."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest

from gpu_workers.demo.chat_evaluation.judges import (
    JUDGES,
    closest_answer,
    last_number,
    right_span,
    says_topic,
    span_of,
    well_formed,
)
from gpu_workers.demo.chat_evaluation.measures import EXAM, accuracy_rows, judge_all
from gpu_workers.demo.chat_evaluation.page import page
from gpu_workers.demo.chat_training import arithmetic, passages
from gpu_workers.demo.chat_training.examples import Example, Generator, Language
from gpu_workers.demo.chat_training.mix import evaluation_examples
from gpu_workers.demo.chat_training.sampling import Reply
from gpu_workers.demo.chat_training.topics import Topic, product_questions, topics

LANGUAGES: tuple[Language, ...] = ("en", "zh")


def perfect(example: Example) -> Reply:
    return Reply(example.reasoning, example.answer, 100, ended=True, closed=True)


def some(generator: Generator, count: int = 20) -> list[Example]:
    return list(evaluation_examples(generator, count))


@pytest.mark.parametrize("generator", list(EXAM))
def test_the_right_answer_is_right_and_well_formed(generator: Generator) -> None:
    for example in some(generator):
        assert JUDGES[example.kind](example, perfect(example)), example
        assert well_formed(example, perfect(example)), example


@pytest.mark.parametrize("generator", list(EXAM))
def test_an_answer_to_another_question_is_wrong(generator: Generator) -> None:
    examples = some(generator)
    for one, other in pairwise(examples):
        if one.answer not in other.answer:
            assert not JUDGES[one.kind](one, perfect(other)), (one.answer, other.answer)


@pytest.mark.parametrize("generator", list(EXAM))
def test_nothing_is_wrong(generator: Generator) -> None:
    for example in some(generator):
        assert not JUDGES[example.kind](example, replace(perfect(example), answer="", reasoning=""))


# --- topics


@pytest.mark.parametrize("topic", topics().values(), ids=lambda topic: str(topic.id))
def test_a_topic_is_told_from_all_others(topic: Topic) -> None:
    for language in LANGUAGES:
        assert says_topic(topic.answer(language), topic, language)
        others = [other for other in topics().values() if other.id != topic.id]
        assert not any(says_topic(other.answer(language), topic, language) for other in others)


@pytest.mark.parametrize("topic", topics().values(), ids=lambda topic: str(topic.id))
def test_an_answer_without_one_of_its_facts_is_wrong(topic: Topic) -> None:
    for language in LANGUAGES:
        for fact in topic.facts(language):
            assert not says_topic(topic.answer(language).replace(fact, "that"), topic, language)


def test_a_topic_in_the_other_language_is_wrong() -> None:
    for example in some(product_questions):
        other: Language = "zh" if example.language == "en" else "en"
        answer = topics()[example.expected].answer(other)
        assert not JUDGES["topic"](example, replace(perfect(example), answer=answer))


def test_gibberish_is_no_topic() -> None:
    assert closest_answer("Press the the the lamp of port and and Stop.", "en") == ""


# --- sums


def test_a_sum_that_is_off_by_one_or_has_another_sign_is_wrong() -> None:
    for example in some(arithmetic.sums, 60):
        right = int(example.expected)
        for wrong in {right + 1, right - 1, -right, right * 10} - {right}:
            answer = re.sub(r"-?\d+(?=[.。]$)", str(wrong), example.answer)
            assert not JUDGES[example.kind](example, replace(perfect(example), answer=answer))


def test_a_right_sum_after_reasoning_that_says_otherwise_is_wrong() -> None:
    for example in some(arithmetic.sums):
        reasoning = re.sub(r"\d+$", lambda found: str(int(found[0]) + 1), example.reasoning)
        assert not JUDGES[example.kind](example, replace(perfect(example), reasoning=reasoning))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("3 + 4 = 7.", "7"),
        ("3 - 4 = -1。", "-1"),
        ("s0r4=40", "40"),
        ("=1\n-262", "-262"),
        ("7-2", ""),
        ("7 apples", ""),
    ],
)
def test_the_last_number(text: str, number: str) -> None:
    assert last_number(text) == number


# --- passages


@pytest.mark.parametrize(
    "change", [lambda span: span[:-1], lambda span: span + "s", lambda span: span + " and more"]
)
def test_a_span_must_be_exact(change: object) -> None:
    assert callable(change)
    for example in some(passages.found):
        answer = example.answer.replace(example.expected, change(example.expected))
        assert not right_span(example, replace(perfect(example), answer=answer))


def test_an_answer_without_the_form_quotes_nothing() -> None:
    assert span_of("Perhaps Kestrin.") == ""


# --- form


def test_what_does_not_end_or_is_long_or_is_open_or_in_the_other_language_is_not_well_formed() -> None:
    for example in some(product_questions):
        good = perfect(example)
        other: Language = "zh" if example.language == "en" else "en"
        translated = topics()[example.expected].answer(other)
        for bad in (
            replace(good, ended=False),
            replace(good, tokens=301),
            replace(good, closed=False),
            replace(good, answer=""),
            replace(good, answer=translated),
        ):
            assert not well_formed(example, bad)


# --- rows and page


def test_rows_count_the_right_ones_and_have_the_bar() -> None:
    examples = some(passages.found, 10)
    replies = [perfect(example) for example in examples[:7]] + [Reply("", "no", 5, True, True)] * 3
    (row,) = accuracy_rows(judge_all(examples, replies))
    assert (row.count, row.result, row.ok) == (10, 0.7, False)


def test_the_page_shows_24_questions_and_marks_the_wrong_ones() -> None:
    examples = [example for generator in EXAM for example in evaluation_examples(generator, 30)]
    replies = [perfect(example) for example in examples]
    right = page([], judge_all(examples, replies))
    assert right.count("\n## ") == 24
    assert "**wrong**" not in right
    silent = page([], judge_all(examples, [Reply("", "", 0, True, True)] * len(examples)))
    assert silent.count("**wrong**") == 24


def test_the_examples_of_the_evaluation_are_the_same_every_time() -> None:
    rng = Random(1)
    rng.random()
    assert some(passages.found) == some(passages.found)
