"""The table of the demo models' evaluation says what misses its bar, and so does its exit status."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gpu_workers.demo import evaluation
from gpu_workers.demo.scores import Row, table

pytestmark = pytest.mark.engines


def test_a_share_reaches_its_bar_from_below() -> None:
    assert Row("right", 240, 0.9, 0.85).line == "| right | 240 | 90.0 % | ≥ 85.0 % | ok |"
    assert Row("right", 240, 0.8, 0.85).line == "| right | 240 | 80.0 % | ≥ 85.0 % | MISSED |"


def test_a_time_reaches_its_bar_from_above() -> None:
    slow = Row("time", 3, 6.0, 5.0, "s", at_most=True)
    assert slow.line == "| time | 3 | 6.00 s | ≤ 5.00 s | MISSED |"
    assert Row("time", 3, 4.0, 5.0, "s", at_most=True).ok


def test_what_is_no_number_reaches_no_bar() -> None:
    assert not Row("right", 240, float("nan"), 0.85).ok


def test_a_measure_without_a_bar_misses_none() -> None:
    row = Row("colour", 240, 0.1)
    assert row.ok
    assert row.line == "| colour | 240 | 10.0 % |  |  |"


def test_the_table_has_a_head_and_a_line_for_each_row() -> None:
    lines = table([Row("one", 1, 1.0), Row("two", 1, 1.0)]).splitlines()
    assert len(lines) == 4
    assert {line.count("|") for line in lines} == {6}


@pytest.mark.parametrize(("result", "status"), [(0.9, 0), (0.8, 1)])
def test_the_evaluation_fails_when_a_bar_is_missed(
    result: float,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def exam(model: Path, docs: Path | None, share: float) -> Iterator[Row]:
        assert (model, docs, share) == (tmp_path / "chat", tmp_path / "docs", 0.5)
        yield Row("right", 10, result, 0.85)
        yield Row("well formed", 10, 1.0, 0.99)

    (tmp_path / "chat").mkdir()
    monkeypatch.setattr(evaluation, "EXAMS", {"chat": exam})
    arguments = ["--models", str(tmp_path), "--docs", str(tmp_path / "docs"), "--share", "0.5"]
    monkeypatch.setattr(sys, "argv", ["evaluation", "chat", *arguments])
    assert evaluation.main() == status
    assert "| well formed | 10 | 100.0 %" in capsys.readouterr().out


def test_a_model_that_is_not_there_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["evaluation", "image", "--models", str(tmp_path)])
    with pytest.raises(SystemExit, match="2"):
        evaluation.main()
    assert f"no model in {tmp_path / 'image'}" in capsys.readouterr().err
