"""Events: their JSON, their order, and the fold."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_workers.contract.events import (
    EVENT_TYPES,
    Artifact,
    Audio,
    Blocked,
    Cancelled,
    Delta,
    Event,
    EventId,
    Failed,
    Finished,
    Preview,
    Progress,
    Queued,
    Retry,
    Started,
    fold,
    parse_event,
)

SAMPLES: list[Event] = [
    Queued(2, 1.5),
    Started(1, "m"),
    Delta(text="你好"),
    Progress(1, 2),
    Preview("data:image/jpeg;base64,x"),
    Audio("a", "/u", 0, "Hi.", 0.5),
    Artifact("a", "/u", "image/png", width=8, height=8, seed=1),
    Retry(2, "here"),
    Finished({"total_tokens": 1}, "stop", 0.5),
    Failed("c", "m", retryable=True),
    Cancelled(),
    Blocked("r"),
]
texts = st.text(max_size=20)


def test_every_type_has_a_sample_here() -> None:
    assert {type(event) for event in SAMPLES} == set(EVENT_TYPES.values())


@pytest.mark.parametrize("event", SAMPLES, ids=lambda event: event.type)
def test_an_event_survives_its_json(event: Event) -> None:
    assert parse_event(event.type, json.loads(event.dumps())) == event


def test_fields_of_a_newer_version_are_dropped() -> None:
    assert parse_event("delta", {"text": "a", "colour": "red"}) == Delta(text="a")


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 10**6))))
def test_ids_sort_by_attempt_then_number_and_survive_their_text(pairs: list[tuple[int, int]]) -> None:
    ids = [EventId(*pair) for pair in pairs]
    assert [EventId.parse(str(id_)) for id_ in ids] == ids
    assert sorted(ids) == [EventId(*pair) for pair in sorted(pairs)]


@pytest.mark.parametrize("text", ["", "1", "-", "1-", "-1", "a-b", "1-2-3", "１-２", " 1-2", "9" * 50 + "-1"])
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an event id"):
        EventId.parse(text)


@given(st.lists(st.tuples(texts, texts)), st.integers(0, 30))
def test_a_whole_delta_at_any_place_gives_the_same_text(parts: list[tuple[str, str]], cut: int) -> None:
    deltas = [Delta(text=text, reasoning=reasoning) for text, reasoning in parts]
    so_far = fold(deltas[:cut])
    compacted = Delta(text=so_far.text, reasoning=so_far.reasoning, whole=True)
    for seen in (0, cut // 2, cut):  # whatever the reader had before
        snapshot = fold([*deltas[:seen], compacted, *deltas[cut:]])
        assert (snapshot.text, snapshot.reasoning) == (fold(deltas).text, fold(deltas).reasoning)


def test_a_retry_from_the_start_clears_and_one_from_here_keeps() -> None:
    made: list[Event] = [Started(1, "m"), Delta(text="abc"), Artifact("a", "/u", "image/png")]
    kept, cleared = fold([*made, Retry(2, "here")]), fold([*made, Retry(2, "start")])
    assert (kept.text, len(kept.artifacts), kept.status, kept.attempt) == ("abc", 1, "queued", 2)
    assert (cleared.text, len(cleared.artifacts)) == ("", 0)


def test_the_end_leaves_no_progress_and_no_place() -> None:
    snapshot = fold([Queued(3, 9.0), Started(1, "m"), Progress(1, 9), Preview("p"), Cancelled()])
    assert snapshot.status == "cancelled"
    assert (snapshot.progress, snapshot.preview, snapshot.position) == (None, None, None)
