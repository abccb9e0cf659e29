"""What a reader sees of a stream does not depend on how it was cut."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_workers.engines.text_stream import AlreadyRead, AnswerStream, Piece, TokenText

# Many tags, stop strings and their beginnings; little else.
TRICKY = st.lists(
    st.sampled_from(
        ["<think>", "</think>", "<thi", "</", "<", "END", "EN", "E", "ND", " ", "\n\n", "a", "你"]
    ),
    max_size=14,
).map("".join)


def read(pieces: Iterable[str], *, opened: bool = False, stop: Sequence[str] = ()) -> Piece:
    stream = AnswerStream(opened=opened, stop=stop)
    seen = Piece()
    for piece in pieces:
        seen += stream.feed(piece)
    return seen + stream.finish()


def decode_bytes(tokens: Sequence[int]) -> str:
    """A vocabulary of 256 bytes."""
    return bytes(tokens).decode(errors="replace")


def words(tokens: Iterable[int]) -> list[str]:
    text = TokenText(decode_bytes)
    return [*(text.feed(token) for token in tokens), text.finish()]


# --- reasoning and answer


def test_reasoning_is_what_stands_between_the_tags() -> None:
    assert read(["<think>\nfirst\n</think>\n\nthe answer"]) == Piece("first\n", "the answer")


def test_tags_may_be_cut_anywhere() -> None:
    assert read("<think>\nfirst\n</think>\n\nthe answer") == Piece("first\n", "the answer")


def test_a_prompt_that_opened_the_tag_begins_in_reasoning() -> None:
    assert read(["\nwell", "</th", "ink>", "\n", "\nyes"], opened=True) == Piece("well", "yes")


def test_an_answer_without_reasoning_keeps_its_leading_white_space() -> None:
    assert read(["\n", " four"]) == Piece(text="\n four")


def test_only_a_tag_at_the_very_beginning_opens_reasoning() -> None:
    assert read(["use <think> and </think> so"]) == Piece(text="use <think> and </think> so")


def test_empty_reasoning_leaves_only_the_answer() -> None:
    assert read(["<think>\n\n</think>\n\nyes"]) == Piece(text="yes")


def test_what_looked_like_a_tag_is_given_in_the_end() -> None:
    assert read(["<thin"]) == Piece(text="<thin")
    assert read(["<think>a</thi"]) == Piece(reasoning="a</thi")


def test_text_is_held_back_only_while_it_may_become_a_tag() -> None:
    stream = AnswerStream()
    assert [stream.feed(c) for c in "<tx"] == [Piece(), Piece(), Piece(text="<tx")]
    assert stream.feed("<") == Piece(text="<")


# --- stop strings


def test_the_answer_ends_before_a_stop_string_that_crosses_pieces() -> None:
    stream = AnswerStream(stop=["STOP"])
    assert [stream.feed(p).text for p in ("one S", "TO", "P two")] == ["one ", "", ""]
    assert stream.stopped
    assert stream.finish() == Piece()


def test_a_false_start_of_a_stop_string_is_given_as_soon_as_it_is_one() -> None:
    stream = AnswerStream(stop=["STOP"])
    assert [stream.feed(p).text for p in ("S", "TO", "SS")] == ["", "", "STOS"]


def test_stop_strings_do_not_end_the_reasoning() -> None:
    assert read(["<think>a\n\nb</think>c\n\nd"], stop=["\n\n"]) == Piece("a\n\nb", "c")


def test_white_space_after_the_tag_is_no_stop_string() -> None:
    assert read(["<think>a</think>\n\nb"], stop=["\n\n"]) == Piece("a", "b")


def test_the_stop_string_that_is_complete_first_counts() -> None:
    assert read(["xabcd"], stop=["abcd", "bc"]) == Piece(text="xa")


@given(TRICKY, st.booleans(), st.sampled_from([(), ("END",), ("END", "N"), ("\n\n",)]), st.data())
def test_how_the_text_is_cut_changes_nothing(
    text: str, opened: bool, stop: tuple[str, ...], data: st.DataObject
) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert read(pieces, opened=opened, stop=stop) == read(text, opened=opened, stop=stop)


@given(TRICKY, st.sampled_from(["END", "\n\n"]))
def test_no_stop_string_is_ever_in_the_answer(text: str, stop: str) -> None:
    assert stop not in read(text, stop=[stop]).text


# --- characters


def test_a_character_comes_whole_or_not_at_all() -> None:
    assert words("é你😀".encode()) == ["", "é", "", "", "你", "", "", "", "😀", ""]


def test_half_a_character_at_the_end_is_dropped() -> None:
    assert "".join(words("ok 你".encode()[:-1])) == "ok "


def test_bytes_that_are_no_character_do_not_hide_what_follows() -> None:
    assert "".join(words(b"a\xff\xfe\xfd\xfc\xfb" + "你b".encode())) == "a你b"


@given(st.text(max_size=20))
def test_any_text_comes_out_as_it_went_in(text: str) -> None:
    assert "".join(words(text.encode())) == text.replace("\ufffd", "")


@given(st.binary(max_size=24))
def test_a_reader_never_sees_a_replacement_mark(noise: bytes) -> None:
    assert "\ufffd" not in "".join(words(noise))


def test_a_space_before_a_word_survives_a_vocabulary_that_drops_it_at_the_beginning() -> None:
    vocabulary = ["▁good", "▁morning", "s"]

    def decode(tokens: Sequence[int]) -> str:
        return "".join(vocabulary[t] for t in tokens).replace("▁", " ").removeprefix(" ")

    text = TokenText(decode)
    assert [text.feed(token) for token in (0, 1, 2)] == ["good", " morning", "s"]


# --- what was already read


@pytest.mark.parametrize("cut", range(9))
def test_only_what_is_new_passes(cut: int) -> None:
    whole = Piece("abc", "defgh")
    had = Piece(whole.reasoning[:cut], whole.text[: max(0, cut - 3)])
    read_before = AlreadyRead(had.reasoning, had.text)
    new = Piece()
    for piece in (Piece(reasoning="a"), Piece("bc", "d"), Piece(text="efgh")):
        new += read_before.pass_on(piece)
    assert had.reasoning + new.reasoning == whole.reasoning
    assert had.text + new.text == whole.text
    assert not read_before.differs
    assert not read_before.missing


@pytest.mark.parametrize(
    "pieces",
    [[Piece(text="dX")], [Piece(reasoning="abcd")], [Piece(reasoning="ab", text="d")]],
    ids=["other text", "longer reasoning", "shorter reasoning"],
)
def test_another_beginning_than_the_reader_had_is_noticed(pieces: list[Piece]) -> None:
    read_before = AlreadyRead("abc", "def")
    for piece in pieces:
        read_before.pass_on(piece)
    assert read_before.differs


def test_an_answer_that_ends_too_early_is_noticed() -> None:
    read_before = AlreadyRead("", "def")
    read_before.pass_on(Piece(text="de"))
    assert read_before.missing
