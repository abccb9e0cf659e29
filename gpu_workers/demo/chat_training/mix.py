"""The corpus: which examples come in which share, each made from nothing but the seed and its number."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from gpu_workers.demo.chat_training import (
    arithmetic,
    conversations,
    copying,
    everything_else,
    passages,
    small_jobs,
)
from gpu_workers.demo.chat_training.examples import Example, Generator
from gpu_workers.demo.chat_training.phrases import phrases
from gpu_workers.demo.chat_training.topics import product_questions

# Examples of each kind in a hundred.
SHARES: dict[Generator, float] = {
    arithmetic.sums: 12,
    arithmetic.stories: 2,
    arithmetic.comparisons: 2,
    arithmetic.follow_ups: 2,
    product_questions: 34,
    passages.found: 16,
    passages.not_found: 9,
    everything_else.unknown_things: 4,
    everything_else.greetings: 2,
    everything_else.gibberish: 1,
    conversations.recalled: 3,
    conversations.replies: 2,
    conversations.shorter: 2,
    conversations.other_language: 2,
    conversations.after_talk: 2,
    small_jobs.titles: 2,
    small_jobs.descriptions: 1,
    small_jobs.tags: 1,
    copying.short_lists: 1,
}
# Copying is practised, growing less until this many examples were seen.
PRACTICE_EXAMPLES = 20_000
PRACTICE_SHARE = 0.25
_FIRST_SAMPLED = 10_000
_SYSTEM_PROMPTS: list[str] = phrases("conversations")["system_prompts"]
_SYSTEM_SHARE = 0.08


def training_example(seed: int, number: int) -> Example:
    """Example `number` of the endless corpus of this seed; never one of the evaluation's."""
    return _example(seed, number, PRACTICE_SHARE * max(0.0, 1 - number / PRACTICE_EXAMPLES))


def sample(seed: int, count: int) -> Iterator[Example]:
    """Examples of the mix without the practice, to learn the pieces of words from."""
    for number in range(_FIRST_SAMPLED, _FIRST_SAMPLED + count):
        yield _example(seed, number, 0.0)


def evaluation_examples(generator: Generator, count: int, seed: int = 0) -> Iterator[Example]:
    """Held-out examples, all different."""
    seen: set[tuple[object, ...]] = set()
    rng = Random(f"evaluation/{seed}")
    while len(seen) < count:
        example = generator(rng, True)
        if example.turns not in seen:
            seen.add(example.turns)
            yield example


def _example(seed: int, number: int, practice: float) -> Example:
    rng = Random(f"{seed}/{number}")
    if rng.random() < practice:
        return copying.long_lists(rng, False)
    generator = rng.choices(list(SHARES), list(SHARES.values()))[0]
    return _maybe_with_system(rng, generator(rng, False))


def _maybe_with_system(rng: Random, example: Example) -> Example:
    if example.turns[0].role == "system" or rng.random() >= _SYSTEM_SHARE:
        return example
    return example.with_system(rng.choice(_SYSTEM_PROMPTS))
