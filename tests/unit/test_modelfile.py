"""An Ollama Modelfile is read as far as it can be used; every line that cannot is named by its number."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from apps.chat.modelfile import Note, read_modelfile

WHOLE = '''# A pirate
FROM demo-chat
PARAMETER temperature 0.7
parameter num_predict 200
PARAMETER stop "AI assistant:"
PARAMETER stop <end>
SYSTEM """
You are a pirate.

Say "arr" often.
"""
MESSAGE user Hello
MESSAGE assistant """Arr!
Ahoy."""
'''


def test_all_that_an_assistant_has_is_taken_over() -> None:
    found = read_modelfile(WHOLE)
    assert found.model == "demo-chat"
    assert found.system == 'You are a pirate.\n\nSay "arr" often.'
    assert found.params == {"temperature": 0.7, "max_tokens": 200, "stop": ["AI assistant:", "<end>"]}
    assert found.opening == [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Arr!\nAhoy."},
    ]
    assert found.notes == []


def test_what_cannot_be_used_is_named_by_its_line() -> None:
    found = read_modelfile(
        'FROM x\nTEMPLATE """{{ .Prompt }}\nFROM not an instruction"""\nPARAMETER num_ctx 4096\n'
        "PARAMETER temperature hot\nMESSAGE robot Hi\nFLY high\nSYSTEM\n=== what ==="
    )
    assert found.model == "x"
    assert [note.line for note in found.notes] == [2, 4, 5, 6, 7, 8, 9]
    assert found.notes[0] == Note(2, "TEMPLATE is not used: the model's own chat template is used.")
    assert "num_ctx" in found.notes[1].message
    assert "'hot'" in found.notes[2].message
    assert "'robot'" in found.notes[3].message


def test_the_last_of_two_counts_and_one_quote_mark_stays() -> None:
    found = read_modelfile('SYSTEM one\nsystem "two"\nMESSAGE user Say "hi"')
    assert found.system == "two"
    assert found.opening == [{"role": "user", "content": 'Say "hi"'}]


def test_quotes_that_never_close_take_the_rest() -> None:
    assert read_modelfile('SYSTEM """one\ntwo').system == "one\ntwo"


@given(st.text(alphabet='FROMSYTEfrom sytem"#\n 0123.abc', max_size=200))
def test_any_text_is_read_without_an_error(text: str) -> None:
    lines = len(text.splitlines())
    assert all(1 <= note.line <= lines for note in read_modelfile(text).notes)
