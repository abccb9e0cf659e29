"""A page of unseen questions with the model's answers, right and wrong, for a reader to judge."""

from __future__ import annotations

from collections.abc import Sequence

from gpu_workers.demo.chat_evaluation.measures import Judged
from gpu_workers.demo.scores import Row, table

# How many of each kind are shown: 24 in all.
_SHOWN = {
    "topic": 8, "add": 1, "subtract": 2, "multiply": 2, "passage": 3, "no_passage": 1, "recall": 1, "shorter": 1,
    "other_language": 1, "title": 1, "description": 1, "tags": 1, "else": 1,
}  # fmt: skip

_INTRODUCTION = """\
Made by `make eval-demo`. The training never saw
these questions. The first ones of each kind are shown, whether the answer is right or wrong."""


def page(rows: Sequence[Row], judged: Sequence[Judged]) -> str:
    """The table and the first questions of each kind, as they came: none is chosen for its answer."""
    parts = ["# What the demo chat model answers", _INTRODUCTION, table(rows)]
    left = dict(_SHOWN)
    for one in judged:
        if left.get(one.example.kind):
            left[one.example.kind] -= 1
            parts.append(_entry(one))
    return "\n\n".join(parts) + "\n"


def _entry(one: Judged) -> str:
    verdict = "right" if one.right else f"**wrong**; expected: {_line(one.example.answer)}"
    turns = "\n".join(f"- {turn.role}: {_line(turn.content)}" for turn in one.example.turns)
    thought = f"```\n{one.reply.reasoning}\n```"
    title = _line(one.example.turns[-1].content)[:60]
    return f"## {title}\n\n{turns}\n\n{thought}\n\n> {_line(one.reply.answer)}\n\n{verdict}"


def _line(text: str) -> str:
    return " ".join(text.split())
