"""Questions about the product: the topics of `phrases/topics.toml`, asked in many ways."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from random import Random

from gpu_workers.demo.chat_training.examples import Example, Language, asked
from gpu_workers.demo.chat_training.phrases import phrases
from gpu_workers.demo.chat_training.questions import ways_to_ask

_FACT = re.compile(r"\[([^\[\]]+)\]")
_FIRST_SENTENCE = re.compile(r".+?(?:[.。](?=\s|$)|。|$)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Topic:
    """One thing to know: its name, its answer and the ways to ask for it, each by language."""

    id: str
    names: dict[Language, str]
    marked: dict[Language, str]
    ways: dict[Language, tuple[str, ...]]

    def answer(self, language: Language) -> str:
        """The answer as it is said."""
        return _FACT.sub(r"\1", self.marked[language])

    def facts(self, language: Language) -> list[str]:
        """What a right answer holds."""
        return _FACT.findall(self.marked[language])

    def short_answer(self, language: Language) -> str:
        """The first sentence."""
        found = _FIRST_SENTENCE.match(self.answer(language))
        return found[0] if found else self.answer(language)

    def reasoning(self, language: Language) -> str:
        """What is thought before the answer."""
        return {"en": f"topic: {self.names['en']}", "zh": f"主题：{self.names['zh']}"}[language]


@cache
def topics() -> dict[str, Topic]:
    """All topics by id."""
    tables = phrases("topics")["topic"]
    found = {table["id"]: _topic(table) for table in tables}
    if len(found) != len(tables):
        raise ValueError("phrases/topics.toml has two topics of the same id")
    return found


def _topic(table: dict[str, str | list[str]]) -> Topic:
    languages: tuple[Language, ...] = ("en", "zh")
    return Topic(
        id=str(table["id"]),
        names={language: str(table[f"name_{language}"]) for language in languages},
        marked={language: str(table[language]) for language in languages},
        ways={language: tuple(table[f"ask_{language}"]) for language in languages},
    )


def product_questions(rng: Random, held_out: bool) -> Example:
    """A question about one of the topics."""
    # English is read from pieces of words, Chinese character by character: it takes more practice.
    english = 0.5 if held_out else 0.6
    language: Language = "en" if rng.random() < english else "zh"
    return topic_question(rng, rng.choice(list(topics().values())), language, held_out)


def topic_question(rng: Random, topic: Topic, language: Language, held_out: bool) -> Example:
    """A question about this topic."""
    question = ways_to_ask(rng, language, topic.ways[language], held_out=held_out)
    return asked(
        "topic", language, question, topic.reasoning(language), topic.answer(language), expected=topic.id
    )
