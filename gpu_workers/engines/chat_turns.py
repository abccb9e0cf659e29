"""Conversations that are longer than a model reads: the oldest turns are left out, as `truncation` allows."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence

from gpu_workers.contract.messages import Turn


def beginnings(turns: Sequence[Turn]) -> list[int]:
    """Where a conversation may begin: with all of it, or at a later question. Never empty."""
    first = _told(turns)
    return [0, *(place for place, turn in enumerate(turns) if turn.role == "user" and place > first)]


def from_turn(turns: Sequence[Turn], beginning: int) -> tuple[Turn, ...]:
    """The conversation from there on. What the model was told before all else, it is still told."""
    return (*turns[: min(_told(turns), beginning)], *turns[beginning:])


def _told(turns: Sequence[Turn]) -> int:
    """How many turns of the system come first."""
    return next((place for place, turn in enumerate(turns) if turn.role != "system"), len(turns))


def longest_that_fits(turns: Sequence[Turn], fits: Callable[[Sequence[Turn]], bool]) -> tuple[Turn, ...]:
    """As much of the conversation's end as fits, or its last question where nothing does."""
    places = beginnings(turns)
    first = bisect_left(places, True, hi=len(places) - 1, key=lambda place: fits(from_turn(turns, place)))
    return from_turn(turns, places[first])


def later_half(turns: Sequence[Turn]) -> tuple[Turn, ...] | None:
    """The conversation without the first half of its questions; None where there is but one."""
    places = beginnings(turns)
    return from_turn(turns, places[(len(places) + 1) // 2]) if len(places) > 1 else None
