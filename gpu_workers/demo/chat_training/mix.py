"""The corpus: which examples come in which share, each made from nothing but the seed and its number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
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


def recognised(generator: Generator) -> Generator:
    """Its examples up to the answer.

    Of each of these answers there is one, soon known by heart. What takes practice is to recognise the question,
    and this way two and a half times as many questions fit into a batch.
    """

    def up_to_the_answer(rng: Random, held_out: bool) -> Example:
        return replace(generator(rng, held_out), reasoning_only=True)

    return up_to_the_answer


# How often each kind comes, beside the others: until SKILLS_EXAMPLES were seen, and from then on. What to say, to add
# and to copy comes first; to know the hundreds of ways in which somebody may ask for something takes longest.
SHARES: dict[Generator, tuple[float, float]] = {
    recognised(product_questions): (24, 60),
    product_questions: (12, 1.6),
    recognised(everything_else.unknown_things): (4, 20),
    everything_else.unknown_things: (2, 0.5),
    everything_else.greetings: (2, 0.8),
    everything_else.gibberish: (1, 0.4),
    passages.found: (16, 22),
    passages.not_found: (9, 6),
    arithmetic.sums: (12, 3),
    arithmetic.stories: (2, 0.4),
    arithmetic.comparisons: (2, 0.4),
    arithmetic.follow_ups: (2, 0.4),
    conversations.recalled: (3, 6),
    conversations.replies: (2, 0.4),
    conversations.shorter: (2, 5),
    conversations.other_language: (2, 1),
    conversations.after_talk: (2, 5),
    small_jobs.titles: (2, 2),
    small_jobs.descriptions: (1, 4),
    small_jobs.tags: (1, 3),
    copying.short_lists: (1, 1),
}
SKILLS_EXAMPLES = 100_000
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
    shares = [share[number >= SKILLS_EXAMPLES] for share in SHARES.values()]
    generator = rng.choices(list(SHARES), shares)[0]
    return _maybe_with_system(rng, generator(rng, False))


def _maybe_with_system(rng: Random, example: Example) -> Example:
    if example.turns[0].role == "system" or rng.random() >= _SYSTEM_SHARE:
        return example
    return example.with_system(rng.choice(_SYSTEM_PROMPTS))
