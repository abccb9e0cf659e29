"""Says whether a reply is right, kind by kind. A judge must also refuse what is nearly right."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import SequenceMatcher

from gpu_workers.demo.chat_training.everything_else import ELSE
from gpu_workers.demo.chat_training.examples import Example, Language, language_of
from gpu_workers.demo.chat_training.passages import FOUND, NOT_FOUND
from gpu_workers.demo.chat_training.sampling import MAX_TOKENS, Reply
from gpu_workers.demo.chat_training.topics import Topic, topics

Judge = Callable[[Example, Reply], bool]
ELSE_ID = "else"
# An answer less alike to all known ones than this is none of them.
_ALIKE = 0.6
_NUMBER = re.compile(r"-?\d+")
_LETTER = re.compile(r"[A-Za-z]")


@dataclass(frozen=True, slots=True)
class _Known:
    id: str
    text: str


def closest_answer(answer: str, language: Language) -> str:
    """The id of the topic that says this in this language, `else`, or nothing."""
    known = [_Known(topic.id, topic.answer(language)) for topic in topics().values()]
    known.append(_Known(ELSE_ID, ELSE[language]))
    alike, best = max((SequenceMatcher(None, answer, one.text).ratio(), one.id) for one in known)
    return best if alike >= _ALIKE else ""


def says_topic(answer: str, topic: Topic, language: Language) -> bool:
    """Whether all facts of this topic are said, and no other topic's answer is closer."""
    said = " ".join(answer.split())
    facts = all(fact in said for fact in topic.facts(language))
    return facts and language_of(said) == language and closest_answer(said, language) == topic.id


def right_topic(example: Example, reply: Reply) -> bool:
    """The topic that was asked for, in the asker's language."""
    return says_topic(reply.answer, topics()[example.expected], example.language)


def right_sum(example: Example, reply: Reply) -> bool:
    """The answer ends in the right number, and the reasoning in the same."""
    return last_number(reply.answer) == example.expected == last_number(reply.reasoning)


def last_number(text: str) -> str:
    """The number that a text ends in, sign and all; a sign counts only where a number begins."""
    found = re.search(r"(?:(?<=\s)|(?<==)|^)(-?\d+)\s*[.。]?\s*$", text)
    return str(int(found[1])) if found else ""


def right_comparison(example: Example, reply: Reply) -> bool:
    """The larger number, or that they are equal."""
    return reply.answer == example.answer


def right_span(example: Example, reply: Reply) -> bool:
    """The span itself, not more and not less."""
    return span_of(reply.answer) == example.expected


def span_of(answer: str) -> str:
    """What the answer quotes from the passage."""
    for pattern in FOUND.values():
        before, after = pattern.split("{}")
        if answer.startswith(before) and answer.endswith(after):
            return answer[len(before) : len(answer) - len(after)]
    return ""


def says_not_found(example: Example, reply: Reply) -> bool:
    """That the passage does not say."""
    return reply.answer == NOT_FOUND[example.language]


def recalls(example: Example, reply: Reply) -> bool:
    """What was said before, as a whole word."""
    wanted = re.escape(example.expected)
    return bool(re.search(rf"(?<![A-Za-z0-9]){wanted}(?![A-Za-z0-9])", reply.answer))


def right_shorter(example: Example, reply: Reply) -> bool:
    """The first sentence of what was said before."""
    return reply.answer == topics()[example.expected].short_answer(example.language)


def says_demo_model(example: Example, reply: Reply) -> bool:
    """That it is a small demo model, and where a full one is connected."""
    return ELSE[example.language] in reply.answer


def same_words(example: Example, reply: Reply) -> bool:
    """Word for word; big and small letters are alike."""
    return _plain(reply.answer) == _plain(example.answer)


def holds_all(example: Example, reply: Reply) -> bool:
    """Each of the wanted words, in a text of more than these."""
    answer = _plain(reply.answer)
    wanted = [_plain(word) for word in example.expected.split("|")]
    return all(word in answer for word in wanted) and len(answer) > len("".join(wanted)) + 10


def well_formed(example: Example, reply: Reply) -> bool:
    """Ended by itself in time, its reasoning closed, in the asker's language."""
    in_time = reply.ended and reply.tokens <= MAX_TOKENS
    return in_time and reply.closed and bool(reply.answer) and in_language(example, reply.answer)


def in_language(example: Example, answer: str) -> bool:
    """The asker's language; numbers alone tell by their full stop, and quoted words count for nothing."""
    quoted = example.expected if example.expected not in topics() else ""
    rest = answer
    for word in filter(None, quoted.split("|")):
        rest = rest.replace(word, "")
    if not _LETTER.search(rest) and language_of(rest) == "en":
        return ("。" in rest) == (example.language == "zh") or "." not in rest
    return language_of(rest) == example.language


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip().lower()


JUDGES: dict[str, Judge] = {
    "topic": right_topic,
    "add": right_sum,
    "subtract": right_sum,
    "multiply": right_sum,
    "follow_up": right_sum,
    "comparison": right_comparison,
    "passage": right_span,
    "no_passage": says_not_found,
    "recall": recalls,
    "told": recalls,
    "shorter": right_shorter,
    "other_language": right_topic,
    "title": same_words,
    "description": holds_all,
    "tags": same_words,
    "else": says_demo_model,
    "greeting": same_words,
    "gibberish": says_demo_model,
    "copy": same_words,
}
