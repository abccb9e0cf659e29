"""What is measured, with how many questions, and the bar."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from gpu_workers.demo.chat_evaluation.asking import ask_all, tokens_per_second
from gpu_workers.demo.chat_evaluation.judges import JUDGES, well_formed
from gpu_workers.demo.chat_training import (
    arithmetic,
    conversations,
    copying,
    everything_else,
    passages,
    small_jobs,
)
from gpu_workers.demo.chat_training.examples import Example, Generator
from gpu_workers.demo.chat_training.mix import evaluation_examples
from gpu_workers.demo.chat_training.sampling import Reply
from gpu_workers.demo.chat_training.topics import product_questions
from gpu_workers.demo.scores import Row
from gpu_workers.engines.deepseek import DeepSeekEngine

SPEED_QUESTIONS = 8


@dataclass(frozen=True, slots=True)
class Judged:
    """A question, its reply and the verdict."""

    example: Example
    reply: Reply
    right: bool


@dataclass(frozen=True, slots=True)
class _Measure:
    name: str
    bar: float | None
    belongs: Callable[[Example], bool]


# Questions of each kind; the sums are of three kinds in about equal shares.
EXAM: dict[Generator, int] = {
    product_questions: 200,
    arithmetic.sums: 120,
    arithmetic.stories: 24,
    passages.found: 80,
    passages.not_found: 60,
    arithmetic.follow_ups: 16,
    arithmetic.comparisons: 16,
    everything_else.unknown_things: 40,
    everything_else.greetings: 12,
    everything_else.gibberish: 8,
    conversations.recalled: 24,
    conversations.replies: 12,
    conversations.shorter: 16,
    conversations.other_language: 16,
    small_jobs.titles: 24,
    small_jobs.descriptions: 12,
    small_jobs.tags: 12,
    copying.short_lists: 16,
}


def _of(*kinds: str) -> Callable[[Example], bool]:
    return lambda example: example.kind in kinds


_MEASURES = (
    _Measure(
        "product questions in English: right topic", 0.90, lambda e: e.kind == "topic" and e.language == "en"
    ),
    _Measure(
        "product questions in Chinese: right topic", 0.90, lambda e: e.kind == "topic" and e.language == "zh"
    ),
    _Measure("add, subtract: right, as reasoned", 0.95, _of("add", "subtract")),
    _Measure("multiply: right, as reasoned", 0.85, _of("multiply")),
    _Measure("passage: span exact", 0.85, _of("passage")),
    _Measure("not in the passage: said so", 0.85, _of("no_passage")),
    _Measure("sums that go on from the last", None, _of("follow_up")),
    _Measure("which number is larger", None, _of("comparison")),
    _Measure("anything else: says what it is", None, _of("else", "greeting", "gibberish")),
    _Measure("recalls what was said before", None, _of("recall", "told")),
    _Measure("makes it shorter", None, _of("shorter")),
    _Measure("changes the language", None, _of("other_language")),
    _Measure("titles", None, _of("title")),
    _Measure("product descriptions", None, _of("description")),
    _Measure("tags", None, _of("tags")),
    _Measure("repeats a list", None, _of("copy")),
)


def examine(engine: DeepSeekEngine, *, share: float = 1.0) -> tuple[list[Row], list[Judged]]:
    """Ask all questions, or a share of each kind."""
    examples: list[Example] = []
    for generator, count in EXAM.items():
        examples += evaluation_examples(generator, max(2, round(count * share)))
    judged = judge_all(examples, ask_all(engine, examples))
    rows = [*accuracy_rows(judged), _well_formed_row(judged)]
    sums = [example for example in examples if example.kind == "multiply"][:SPEED_QUESTIONS]
    rows.append(Row("tokens, one chat", len(sums), tokens_per_second(engine, sums), 60, "/s"))
    return rows, judged


def judge_all(examples: Sequence[Example], replies: Sequence[Reply]) -> list[Judged]:
    """A verdict for each."""
    return [
        Judged(example, reply, JUDGES[example.kind](example, reply))
        for example, reply in zip(examples, replies, strict=True)
    ]


def accuracy_rows(judged: Sequence[Judged]) -> Iterator[Row]:
    """One row for each measure, in the order of the table."""
    found: dict[str, list[bool]] = defaultdict(list)
    for one in judged:
        for measure in _MEASURES:
            if measure.belongs(one.example):
                found[measure.name].append(one.right)
    for measure in _MEASURES:
        if verdicts := found[measure.name]:
            yield Row(measure.name, len(verdicts), sum(verdicts) / len(verdicts), measure.bar)


def _well_formed_row(judged: Sequence[Judged]) -> Row:
    good = sum(well_formed(one.example, one.reply) for one in judged)
    name = "ends within 300 tokens, asker's language, reasoning closed"
    return Row(name, len(judged), good / len(judged), 0.99)
