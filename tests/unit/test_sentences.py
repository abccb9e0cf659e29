"""Text is cut where a reader would breathe, and nothing of it is lost."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_workers.engines.sentences import (
    PARAGRAPH_PAUSE_S,
    SENTENCE_LIMIT,
    SENTENCE_PAUSE_S,
    WIDE_WEIGHT,
    Part,
    Pause,
    Span,
    Style,
    clean,
    cuts,
    from_parts,
    from_text,
    is_wide,
)


def texts(text: str) -> list[str]:
    return [sentence.text for sentence in from_text(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        (
            "Dr. Smith paid $3.50 to J. R. Brown. He left.",
            ["Dr. Smith paid $3.50 to J. R. Brown.", "He left."],
        ),
        ('He said "Hi!" Then he left... and came back.', ['He said "Hi!"', "Then he left... and came back."]),
        ("你好，世界。今天天气很好！真的吗？", ["你好，世界。", "今天天气很好！", "真的吗？"]),
        ("I said no. See no. 5 of the U.S. Army.", ["I said no.", "See no. 5 of the U.S. Army."]),
        ("“真的吗？”他问。", ["“真的吗？”", "他问。"]),
        ("我用Python 3.11。OK!下一句", ["我用Python 3.11。", "OK!", "下一句"]),
        ("第一行\n第二行", ["第一行", "第二行"]),
        ("a line that was\nwrapped by an editor", ["a line that was wrapped by an editor"]),
        ("(A) First. (B) Second.", ["(A) First.", "(B) Second."]),
        ("One.\n---\nTwo.", ["One. ---", "Two."]),
        ("😀😀", ["😀😀"]),
    ],
)
def test_sentences_end_where_a_reader_would_breathe(text: str, expected: list[str]) -> None:
    assert texts(text) == expected


@pytest.mark.parametrize("text", ["", "   ", "...", "?!", "—“”", "\n\n", "\x00\x01"])
def test_text_with_nothing_to_say_has_no_sentence(text: str) -> None:
    assert from_text(text) == []


def test_a_paragraph_ends_with_a_longer_pause() -> None:
    pauses = [sentence.pause_s for sentence in from_text("One. Two.\n\nThree.")]

    assert pauses == [SENTENCE_PAUSE_S, PARAGRAPH_PAUSE_S, SENTENCE_PAUSE_S]


def test_control_characters_and_halves_of_characters_are_taken_out() -> None:
    assert clean("a\x00b\x01c\ud800d\u202ee\r\nf") == "a b cde\nf"


@given(st.text(max_size=400), st.integers(10, 60))
@settings(max_examples=150, deadline=None)
def test_no_sentence_is_longer_than_the_limit_and_no_letter_is_lost(raw: str, limit: int) -> None:
    text = clean(raw)
    found = cuts(text, limit)

    assert all(
        _weight(text[cut.start : cut.end]) <= limit
        for cut in found
        if _has_letters(text[cut.start : cut.end])
    )
    if found:
        kept = "".join(text[cut.start : cut.end] for cut in found)
        assert [char for char in kept if not char.isspace()] == [char for char in text if not char.isspace()]
    assert all(first.end <= second.start for first, second in pairwise(found))


def _weight(text: str) -> int:
    return sum(WIDE_WEIGHT if is_wide(char) else 1 for char in text)


def _has_letters(text: str) -> bool:
    return any(char.isalnum() for char in text)


def test_a_long_sentence_is_cut_at_a_comma_rather_than_in_a_word() -> None:
    text = "some words before the comma, " * 30

    found = texts(text)

    assert len(found) > 2
    assert all(piece.endswith(",") for piece in found)
    assert all(len(piece) <= SENTENCE_LIMIT for piece in found)


def test_cutting_fifty_thousand_characters_takes_no_time() -> None:
    begun = time.monotonic()
    for text in (
        "a" * 50_000,
        ". " * 25_000,
        "\n " * 25_000,
        "Hello. " * 7_000,
        "中" * 50_000,
        "A." * 25_000,
    ):
        from_text(text)

    assert time.monotonic() - begun < 5


def test_a_sentence_may_run_over_several_styles() -> None:
    loud = Style(volume=2.0)

    first, second = from_parts([Span("One "), Span("two", loud), Span(" three. Four"), Span(" five.", loud)])

    assert first.parts == (Span("One "), Span("two", loud), Span(" three."))
    assert second.parts == (Span("Four"), Span(" five.", loud))


def test_a_pause_stays_where_it_stands() -> None:
    parts: list[Part] = [Pause(1), Span("One "), Pause(2), Span("two."), Pause(3), Span(" Three."), Pause(4)]

    first, second = from_parts(parts)

    assert first.parts == (Pause(1), Span("One "), Pause(2), Span("two."))
    assert first.pause_s == SENTENCE_PAUSE_S + 3
    assert second.parts == (Span("Three."),)
    assert second.pause_s == SENTENCE_PAUSE_S + 4
