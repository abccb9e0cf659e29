"""What the demo chat model learns from is right, short, repeatable and never what it is examined on."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_workers.demo.chat_training import (
    arithmetic,
    conversations,
    copying,
    everything_else,
    passages,
    small_jobs,
)
from gpu_workers.demo.chat_training.arithmetic import Sum
from gpu_workers.demo.chat_training.chat_format import EOS, THINK_CLOSE, completion_text
from gpu_workers.demo.chat_training.examples import Generator, expand, is_held_out, language_of
from gpu_workers.demo.chat_training.mix import (
    SHARES,
    SKILLS_EXAMPLES,
    evaluation_examples,
    recognised,
    training_example,
)
from gpu_workers.demo.chat_training.phrases import phrases
from gpu_workers.demo.chat_training.questions import ways_to_ask
from gpu_workers.demo.chat_training.topics import product_questions, topics

KINDS = 19
NUMBERS = st.integers(0, arithmetic.LARGEST)
STEP = re.compile(r"([A-Ca-c]\d(?:[+×-][a-uA-C]?\d+)*)=(\d+(?:-\d+)?)")


def value_of(expression: str) -> int:
    """Marks taken off, a sum of a product and digits."""
    plain = re.sub(r"[A-Za-z]", "", expression).replace("×", "*")
    return int(eval(re.sub(r"\b0+(?=\d)", "", plain)))  # noqa: S307  digits and signs only


# --- sums


@given(NUMBERS, st.sampled_from("+-×"), NUMBERS)
def test_the_reasoning_of_a_sum_ends_in_its_result(first: int, sign: str, second: int) -> None:
    task = Sum(first, sign, second)
    assert int(task.reasoning().split("\n")[-1].split("=")[-1]) == task.result


@given(NUMBERS, st.sampled_from("+-×"), NUMBERS)
def test_every_step_of_a_sum_is_true(first: int, sign: str, second: int) -> None:
    for line in Sum(first, sign, second).reasoning().split("\n"):
        parts = line.split(":")[0].split("=")
        if len(parts) > 1 and parts[0][0] in "ABCabc" and re.search(r"[+×-]", parts[0]):
            for before, after in pairwise(parts):
                # 56+e3=59+0=59: each part but the last goes on from its own beginning.
                result = after if sign == "-" else re.match(r"\d+", after)[0]  # type: ignore[index]
                assert value_of(before) == value_of(result), line


@given(NUMBERS, st.sampled_from("+-×"), NUMBERS)
def test_the_digits_of_the_result_are_those_written_in_the_steps(first: int, sign: str, second: int) -> None:
    lines = Sum(first, sign, second).reasoning().split("\n")
    gathered, result = next(line for line in reversed(lines) if "=" in line).split("=")
    written = {
        mark: digit
        for line in lines
        if ":" in line
        for mark, digit in re.findall(r"([d-u])(\d)", line.split(":")[1])
    }
    marked = re.findall(r"([d-u])(\d)", gathered)
    assert all(written[mark] == digit for mark, digit in marked)
    assert int("".join(digit for _, digit in marked)) == int(result)


@pytest.mark.parametrize("generator", [arithmetic.sums, arithmetic.stories, arithmetic.follow_ups])
def test_training_never_sees_operands_of_the_evaluation(generator: Generator) -> None:
    for held_out in (False, True):
        rng = Random(1)
        for _ in range(300):
            task = re.match(r"(\d+)([+×-])(\d+)\n", generator(rng, held_out).reasoning)
            assert task
            assert is_held_out("".join(task.groups())) == held_out


def test_a_story_asks_for_the_sum_that_is_reasoned_about() -> None:
    rng = Random(2)
    for _ in range(200):
        story = arithmetic.stories(rng, False)
        task = re.match(r"(\d+)([+×-])(\d+)\n", story.reasoning)
        assert task
        assert {task[1], task[3]} == set(re.findall(r"\d+", story.turns[0].content))


# --- topics


def test_there_are_sixty_topics_or_more_each_with_facts_and_ways_to_ask() -> None:
    assert len(topics()) >= 60
    for topic in topics().values():
        for language in ("en", "zh"):
            assert topic.facts(language), topic.id
            assert language_of(topic.answer(language)) == language
            held_out = [way for way in topic.ways[language] if way.startswith("*")]
            assert held_out, topic.id
            assert len(topic.ways[language]) - len(held_out) >= 2, topic.id


def test_no_two_topics_are_asked_for_in_the_same_way() -> None:
    owners: dict[str, str] = {}
    for topic in topics().values():
        for ways in topic.ways.values():
            for way in ways:
                for seed in range(20):
                    asked = expand(Random(seed), way.removeprefix("*")).lower()
                    assert not set("{|}") & set(asked), way
                    assert owners.setdefault(asked, topic.id) == topic.id


def bare(question: str) -> str:
    return question.lower().rstrip("?.？。")


def test_what_the_evaluation_asks_training_never_asks() -> None:
    rng = Random(3)
    seen = {bare(product_questions(rng, False).turns[0].content) for _ in range(40_000)}
    asked = {bare(product_questions(rng, True).turns[0].content) for _ in range(2_000)}
    assert not asked & seen


def test_a_way_of_training_that_stands_for_the_same_as_one_of_the_evaluation_is_not_asked() -> None:
    ways = ("do {hide|close} the list", "*do {close|shut} the {list|panel}")
    asked = [ways_to_ask(Random(seed), "en", ways, held_out=False).lower() for seed in range(300)]
    assert not [question for question in asked if "close the list" in question]
    assert [question for question in asked if "hide the list" in question]


def test_training_never_asks_within_a_frame_of_the_evaluation() -> None:
    ways = ("Which steps let me hide the list?", "Where is the list?", "*n the panel")
    asked = [bare(ways_to_ask(Random(seed), "en", ways, held_out=False)) for seed in range(100)]
    assert not [question for question in asked if question.startswith("which steps")]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("around", ["do", "thing"])
def test_a_held_out_frame_is_no_training_frame(language: str, around: str) -> None:
    frames = phrases("questions")[language][around]

    def expanded(kept: bool) -> set[str]:
        own = [frame.removeprefix("*") for frame in frames if frame.startswith("*") == kept]
        return {expand(Random(seed), frame).lower() for frame in own for seed in range(40)}

    assert not expanded(True) & expanded(False)


# --- passages


def test_the_span_stands_in_the_passage_and_in_the_sentence_that_is_quoted() -> None:
    rng = Random(4)
    for held_out in (False, True):
        for _ in range(300):
            example = passages.found(rng, held_out)
            text = "\n".join(turn.content for turn in example.turns)
            assert example.reasoning[1 : example.reasoning.rindex("→")].rstrip('"” ') in text
            assert example.reasoning.endswith(example.expected)
            assert example.expected in example.answer


def test_what_is_not_in_the_passage_is_not_there() -> None:
    rng = Random(5)
    for _ in range(300):
        example = passages.not_found(rng, False)
        assert example.answer in passages.NOT_FOUND.values()


# --- conversations and small jobs


def test_what_is_recalled_was_said_before() -> None:
    rng = Random(6)
    for _ in range(200):
        example = conversations.recalled(rng, False)
        before = " ".join(turn.content for turn in example.turns[:-1])
        assert example.expected in before or example.reasoning in ("not told before", "之前没有说过")


def test_a_shorter_answer_is_the_beginning_of_the_long_one() -> None:
    rng = Random(7)
    for _ in range(100):
        example = conversations.shorter(rng, False)
        assert example.turns[-2].content.startswith(example.answer)


def test_the_other_language_is_the_one_that_was_asked_for() -> None:
    rng = Random(8)
    for _ in range(100):
        example = conversations.other_language(rng, False)
        assert language_of(example.answer) == example.language
        assert language_of(example.turns[-2].content) != example.language


@pytest.mark.parametrize("generator", [small_jobs.tags, small_jobs.descriptions])
def test_all_three_words_come_back(generator: Generator) -> None:
    rng = Random(9)
    for _ in range(100):
        example = generator(rng, False)
        assert all(word.lower() in example.answer.lower() for word in example.expected.split("|"))


# --- the whole mix


def test_the_corpus_is_the_same_every_time_and_another_with_another_seed() -> None:
    first = [training_example(1, number) for number in range(200)]
    assert first == [training_example(1, number) for number in range(200)]
    assert first != [training_example(2, number) for number in range(200)]


def test_every_kind_is_in_the_mix_and_nothing_of_the_evaluation() -> None:
    asked = {example.turns for generator in SHARES for example in evaluation_examples(generator, 60)}
    for first in (0, SKILLS_EXAMPLES):
        trained = [training_example(20, number) for number in range(first, first + 20_000)]
        # Short questions such as "??" or "谢谢你" can be hit upon by chance.
        assert len(asked & {example.turns for example in trained}) <= 0.01 * len(asked)
        assert len({example.kind for example in trained}) == KINDS


def test_practice_in_recognising_ends_with_the_reasoning() -> None:
    rng = Random(11)
    example = recognised(product_questions)(rng, False)
    assert completion_text(example) == f"{example.reasoning}\n{THINK_CLOSE}"
    whole = replace(example, reasoning_only=False)
    assert completion_text(whole) == f"{completion_text(example)}\n\n{example.answer}{EOS}"


@pytest.mark.parametrize("generator", [*SHARES, copying.long_lists])
def test_every_generator_marks_its_language_and_ends_in_a_question(generator: Generator) -> None:
    for held_out in (False, True):
        rng = Random(10)
        for _ in range(100):
            example = generator(rng, held_out)
            assert example.turns[-1].role == "user"
            assert example.turns[-1].content
            assert example.answer
            assert example.reasoning
            if generator not in (everything_else.gibberish, copying.short_lists, copying.long_lists):
                wanted = language_of(example.answer)
                neutral = (
                    not re.search(r"[A-Za-z\u4e00-\u9fff]", example.answer) or generator is small_jobs.titles
                )
                assert neutral or wanted == example.language
