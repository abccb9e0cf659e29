"""Reading streamed chat completions: cut anywhere, spelled any way, and never trusted."""

from __future__ import annotations

import itertools
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_workers.engines.openai_failures import message_in, retry_after_s
from gpu_workers.engines.openai_request import merged
from gpu_workers.engines.openai_stream import (
    MAX_EVENT_BYTES,
    Answer,
    EventLines,
    NotAStream,
    Piece,
    UpstreamFailed,
    Usage,
    estimated_tokens,
)
from gpu_workers.engines.text_stream import AnswerStream


def event(delta: dict[str, Any], **rest: Any) -> bytes:
    return json.dumps({"choices": [{"index": 0, "delta": delta, **rest}]}, ensure_ascii=False).encode()


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges)]


@given(
    texts=st.lists(st.text(min_size=1), min_size=1, max_size=8),
    places=st.lists(st.integers(min_value=0), max_size=12),
    newline=st.sampled_from([b"\n", b"\r\n"]),
)
def test_events_are_the_same_wherever_the_network_cuts_them(
    texts: list[str], places: list[int], newline: bytes
) -> None:
    events = [event({"content": text}) for text in texts]
    data = b"".join(b": keep-alive" + newline * 2 + b"data: " + e + newline * 2 for e in events)
    lines = EventLines()
    assert [e for part in cut(data, places) for e in lines.feed(part)] == events


def test_an_event_of_several_lines_is_one() -> None:
    assert EventLines().feed(b'event: x\nid: 7\ndata: {"a":\ndata: 1}\nretry: 5\n\n') == [b'{"a":\n1}']


def test_the_space_after_the_colon_may_be_missing() -> None:
    assert EventLines().feed(b"data:[DONE]\n\n") == [b"[DONE]"]


def test_a_last_event_without_an_empty_line_is_not_lost() -> None:
    lines = EventLines()
    assert lines.feed(b"data: [DONE]\r") == []
    assert lines.rest() == b"[DONE]"


def test_an_endless_event_is_refused() -> None:
    lines = EventLines()
    lines.feed(b"x" * MAX_EVENT_BYTES)
    with pytest.raises(NotAStream, match="4 MB"):
        lines.feed(b"x")


def test_text_and_both_spellings_of_reasoning_are_told_apart() -> None:
    answer = Answer()
    assert answer.take(event({"role": "assistant", "content": ""})) == Piece("", "")
    assert answer.take(event({"reasoning_content": "hm", "content": None})) == Piece("hm", "")
    assert answer.take(event({"reasoning": "so"})) == Piece("so", "")
    assert answer.take(event({"content": "你好"})) == Piece("", "你好")
    assert answer.deltas == 3
    assert not answer.complete


def test_usage_and_the_end_come_from_the_last_events() -> None:
    answer = Answer()
    answer.take(event({}, finish_reason="length"))
    answer.take(b'{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":5}}')
    assert answer.complete
    assert not answer.done
    answer.take(b"[DONE]")
    assert (answer.done, answer.finish_reason, answer.usage) == (True, "length", Usage(3, 5))


def test_confidence_is_the_mean_probability_of_the_tokens() -> None:
    answer = Answer()
    assert answer.confidence is None
    for probability in (1.0, 0.5, 0.25):
        answer.take(event({"content": "x"}, logprobs={"content": [{"logprob": math.log(probability)}]}))
    assert answer.confidence == pytest.approx(1.75 / 3)


def test_think_tags_become_reasoning_where_the_model_writes_them_into_its_text() -> None:
    answer = Answer(AnswerStream())
    pieces = [
        answer.take(event({"content": text})) for text in ("<th", "ink>let me", " see</th", "ink>", "42", "<")
    ]
    pieces.append(answer.finish())
    assert "".join(piece.reasoning for piece in pieces) == "let me see"
    assert "".join(piece.text for piece in pieces) == "42<"


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense",
        b"[]",
        b"7",
        b"\xff\xfe",
        b'{"choices": 5}',
        b'{"choices": [5]}',
        b'{"choices": [{"delta": {"content": 5}}]}',
        b'{"choices": [{"delta": "text"}]}',
        b'{"usage": 3}',
        b'{"choices": [{"logprobs": {"content": [1]}}]}',
    ],
)
def test_what_is_no_completion_is_named_and_not_crashed_on(data: bytes) -> None:
    with pytest.raises(NotAStream):
        Answer().take(data)


@pytest.mark.parametrize(
    ("error", "message", "status"),
    [
        ({"message": "too long", "code": 400}, "too long", 400),
        ({"type": "overloaded", "code": "busy"}, "overloaded", None),
        ("plain words", "plain words", None),
        ({}, "no reason given", None),
    ],
)
def test_an_error_in_the_stream_says_what_the_server_said(
    error: object, message: str, status: int | None
) -> None:
    with pytest.raises(UpstreamFailed) as raised:
        Answer().take(json.dumps({"error": error}).encode())
    assert (raised.value.message, raised.value.status) == (message, status)


def test_a_null_error_field_is_no_error() -> None:
    assert Answer().take(b'{"error": null, "choices": [{"delta": {"content": "x"}}]}') == Piece("", "x")


def test_a_completion_in_one_piece_is_read_too() -> None:
    answer = Answer()
    body = {
        "choices": [{"message": {"content": "hi", "reasoning_content": "hm"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2},
    }
    assert answer.take_whole(json.dumps(body).encode()) == Piece("hm", "hi")
    assert (answer.complete, answer.usage) == (True, Usage(1, 2))
    with pytest.raises(NotAStream):
        Answer().take_whole(b"[1, 2]")


@given(st.lists(st.builds(Piece, st.sampled_from(["", "r"]), st.sampled_from(["", "t"])), max_size=20))
def test_merging_keeps_the_order_and_loses_nothing(pieces: list[Piece]) -> None:
    def letters(of: list[Piece]) -> str:
        return "".join(piece.reasoning + piece.text for piece in of)

    result = merged(pieces)
    assert letters(result) == letters(pieces)
    assert len(result) <= letters(pieces).count("tr") + 1


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b'{"error": {"message": "no such model"}}', "no such model"),
        (b'{"message": "gone"}', "gone"),
        (b'{"detail": "not found"}', "not found"),
        (b"<html>nginx</html>", "no reason given"),
        (b"", "no reason given"),
        (b"too busy", "too busy"),
    ],
)
def test_error_bodies_of_all_kinds_give_a_message(raw: bytes, message: str) -> None:
    assert message_in(raw) == message


def test_retry_after_is_read_as_seconds_or_as_a_date() -> None:
    assert retry_after_s("1.5") == 1.5
    assert retry_after_s("-3") == 0.0
    assert retry_after_s("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
    assert retry_after_s("soon") is None
    assert retry_after_s("inf") is None
    assert retry_after_s(None) is None


def test_tokens_are_estimated_by_the_script() -> None:
    assert estimated_tokens("") == 0
    assert estimated_tokens("你好世界") == 4
    assert estimated_tokens("four char words") == 4
