"""SSML is read into the script that it means, and what is not known is an error that shows the place."""

from __future__ import annotations

import pytest

from gpu_workers.engines.base import EngineError
from gpu_workers.engines.sentences import PARAGRAPH_PAUSE_S, SENTENCE_PAUSE_S, Pause, Span, Style
from gpu_workers.engines.ssml import MAX_SSML_CHARACTERS, parse


def spans(inner: str) -> list[Span]:
    script = parse(f"<speak>{inner}</speak>")
    return [part for sentence in script for part in sentence.parts if isinstance(part, Span)]


def complaint(ssml: str) -> EngineError:
    with pytest.raises(EngineError) as raised:
        parse(ssml)
    return raised.value


def test_plain_text_becomes_sentences() -> None:
    assert [sentence.text for sentence in parse("<speak>One. Two.</speak>")] == ["One.", "Two."]


@pytest.mark.parametrize(
    ("attributes", "style"),
    [
        ('rate="slow"', Style(rate=0.8)),
        ('rate="150%"', Style(rate=1.5)),
        ('rate="+20%"', Style(rate=1.2)),
        ('rate="1.4"', Style(rate=1.4)),
        ('pitch="-50%"', Style(pitch=0.5)),
        ('pitch="+12st"', Style(pitch=2.0)),
        ('volume="50"', Style(volume=0.5)),
        ('volume="silent"', Style(volume=0.0)),
        ('volume="-20dB"', Style(volume=0.1)),
        ('rate="fast" pitch="high"', Style(rate=1.25, pitch=1.15)),
    ],
)
def test_prosody_sets_factors(attributes: str, style: Style) -> None:
    (span,) = spans(f"<prosody {attributes}>word</prosody>")

    assert span.style.rate == pytest.approx(style.rate)
    assert span.style.pitch == pytest.approx(style.pitch)
    assert span.style.volume == pytest.approx(style.volume)


def test_nested_prosody_multiplies_and_ends_with_its_tag() -> None:
    inner = '<prosody rate="+100%">a <prosody rate="-50%" pitch="+100%">b</prosody> c</prosody> d'

    assert [(span.text.strip(), span.style.rate, span.style.pitch) for span in spans(inner)] == [
        ("a", 2.0, 1.0),
        ("b", 1.0, 2.0),
        ("c", 2.0, 1.0),
        ("d", 1.0, 1.0),
    ]


def test_languages_and_voices_reach_the_spans_inside_them() -> None:
    inner = '<voice name="f3">a <lang xml:lang="de">b</lang></voice> <voice xml:lang="zh" name="m1">c</voice>'

    found = [(span.style.voice, span.style.language) for span in spans(inner) if span.text.strip()]

    assert found == [("f3", None), (None, "de"), ("m1", "zh")]


def test_breaks_become_pauses() -> None:
    (first, second) = parse('<speak>One<break time="250ms"/> two.<break strength="strong"/> Three.</speak>')

    assert first.parts == (Span("One"), Pause(0.25), Span(" "), Span("two."))
    assert first.pause_s == pytest.approx(SENTENCE_PAUSE_S + 0.7)
    assert second.text == "Three."


def test_words_around_a_break_stay_two_words() -> None:
    (sentence,) = parse("<speak>one<break/>two</speak>")

    assert sentence.text == "one two"


def test_paragraphs_and_sentences_end_where_their_tags_end() -> None:
    script = parse("<speak><p><s>no full stop</s><s>here</s></p><p>other</p></speak>")

    assert [sentence.text for sentence in script] == ["no full stop", "here", "other"]
    assert script[2].pause_s == PARAGRAPH_PAUSE_S


def test_say_as_spells_and_sub_speaks_its_alias() -> None:
    inner = '<say-as interpret-as="characters">AB1</say-as> <sub alias="World Wide Web">WWW</sub>'

    assert "".join(span.text for span in spans(inner)) == "A B 1 World Wide Web"


def test_a_declared_encoding_does_not_spoil_the_text() -> None:
    assert parse("<?xml version='1.0' encoding='gbk'?><speak>中文</speak>")[0].text == "中文"


@pytest.mark.parametrize(
    ("ssml", "named", "place"),
    [
        ("<speak>\n  <audio src='x'/></speak>", "<audio>", "line 2, column 3"),
        ("<speak><mstts:express-as>x</mstts:express-as></speak>", "<mstts:express-as>", "line 1, column 8"),
        ("<p>x</p>", "<speak>", "line 1, column 1"),
        ("<speak>a < b</speak>", "not well-formed", "line 1"),
        ("<speak>", "no element found", "line 1"),
        ("", "no element found", "line 1"),
        ("<speak><prosody contour='(0%,+20Hz)'>x</prosody></speak>", "'contour'", "line 1, column 8"),
        ("<speak><prosody rate='zip'>x</prosody></speak>", "'zip'", "line 1, column 8"),
        ("<speak><prosody rate='9999%'>x</prosody></speak>", "99.99", "line 1, column 8"),
        ("<speak><break time='1h'/></speak>", "'1h'", "line 1, column 8"),
        ("<speak><break time='11s'/></speak>", "11 s", "line 1, column 8"),
        ("<speak><sub>x</sub></speak>", "alias", "line 1, column 8"),
        ("<speak><sub alias='x'><p>y</p></sub></speak>", "<p>", "line 1, column 23"),
        ("<speak><say-as interpret-as='song'>x</say-as></speak>", "'song'", "line 1, column 8"),
        ("<speak>" + "<p>" * 40, "nested", "line 1"),
        ("<speak>" + "<break/>" * 6000 + "</speak>", "5000 elements", "line 1"),
    ],
)
def test_what_is_not_known_is_named_with_its_place(ssml: str, named: str, place: str) -> None:
    error = complaint(ssml)

    assert error.code == "bad_ssml"
    assert named in error.message
    assert place in error.message


@pytest.mark.parametrize(
    "ssml",
    [
        '<!DOCTYPE speak [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><speak>&b;</speak>',
        '<!DOCTYPE speak [<!ENTITY x SYSTEM "file:///etc/passwd">]><speak>&x;</speak>',
        '<!DOCTYPE speak SYSTEM "http://127.0.0.1:1/x.dtd"><speak>a</speak>',
        "<speak>&nbsp;</speak>",
    ],
)
def test_document_types_and_entities_are_refused(ssml: str) -> None:
    assert complaint(ssml).code == "bad_ssml"


def test_too_much_ssml_is_refused_before_it_is_read() -> None:
    error = complaint("<speak>" + "x" * MAX_SSML_CHARACTERS + "</speak>")

    assert error.code == "too_long"
    assert str(MAX_SSML_CHARACTERS) in error.message
