"""The judge of the demo voice: it knows a good imitation from noise, silence and other words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

torch = pytest.importorskip("torch")
pytest.importorskip("TTS")

from gpu_workers.demo import evaluation  # noqa: E402
from gpu_workers.demo.scores import Row  # noqa: E402
from gpu_workers.demo.voice_evaluation.cepstra import (  # noqa: E402
    BANDS,
    CEPSTRA,
    distance,
    mean_along_best_path,
    mel_bands,
    mel_cepstra,
    spectrogram,
)
from gpu_workers.demo.voice_evaluation.measures import FARTHEST_DB, Pair, compared, measure  # noqa: E402
from gpu_workers.demo.voice_evaluation.spectrograms import picture, write_spectrograms  # noqa: E402
from gpu_workers.demo.voice_training.export import export  # noqa: E402
from gpu_workers.demo.voice_training.network import make_voice  # noqa: E402
from gpu_workers.demo.voice_training.sentences import Sentence, unseen_sentences  # noqa: E402
from gpu_workers.demo.voice_training.teacher import SAMPLE_RATE, Teacher  # noqa: E402

pytestmark = pytest.mark.engines

Samples = NDArray[np.float32]
SENTENCES = unseen_sentences(6)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def teacher() -> Iterator[Teacher]:
    teacher = Teacher()
    yield teacher
    teacher.close()


@pytest.fixture(scope="module")
def spoken(teacher: Teacher) -> list[Samples]:
    return [teacher.speak(sentence) for sentence in SENTENCES]


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("untrained")
    torch.manual_seed(1)
    export(folder, make_voice(), steps=0)
    return folder


def noise(samples: Samples) -> Samples:
    return np.random.default_rng(1).normal(0, 0.1, len(samples)).astype(np.float32)


def slower(samples: Samples, factor: float) -> Samples:
    places = np.arange(0, len(samples), 1 / factor)
    return np.asarray(np.interp(places, np.arange(len(samples)), samples), np.float32)


# --- the distance


def test_speech_has_no_distance_to_itself_however_loud(spoken: list[Samples]) -> None:
    assert distance(spoken[0], spoken[0], SAMPLE_RATE) == 0
    assert distance(spoken[0], spoken[0] / 2, SAMPLE_RATE) < 0.01


def test_speech_that_begins_later_is_near(spoken: list[Samples]) -> None:
    assert distance(spoken[0], np.pad(spoken[0], (1000, 0)), SAMPLE_RATE) < 2


def test_slightly_other_speech_is_within_the_bar(spoken: list[Samples]) -> None:
    for samples in spoken:
        assert 1 < distance(samples, slower(samples, 1.1), SAMPLE_RATE) < FARTHEST_DB


@pytest.mark.parametrize("wrong", [noise, np.zeros_like, lambda samples: samples[::-1]])
def test_noise_silence_and_speech_from_behind_are_beyond_the_bar(
    spoken: list[Samples], wrong: Callable[[Samples], Samples]
) -> None:
    for samples in spoken:
        assert distance(samples, wrong(samples), SAMPLE_RATE) > FARTHEST_DB


def test_another_sentence_is_beyond_the_bar(spoken: list[Samples]) -> None:
    for mine, other in zip(spoken, spoken[2:] + spoken[:2], strict=True):
        assert distance(mine, other, SAMPLE_RATE) > FARTHEST_DB


def test_the_distance_is_kubicheks() -> None:
    """A spectrum bent by one cosine of height a over the mel scale is 10 / ln 10 * sqrt(2) * a away."""
    plain = np.random.default_rng(1).normal(0, 0.1, SAMPLE_RATE)
    spectrum = np.fft.rfft(plain)
    mel = np.log10(1 + np.linspace(0, SAMPLE_RATE / 2, len(spectrum)) / 700)
    bent = np.fft.irfft(spectrum * np.exp(0.5 * np.cos(2 * np.pi * mel / mel[-1])))
    expected = 10 / np.log(10) * np.sqrt(2) * 0.5
    assert distance(plain, bent, SAMPLE_RATE) == pytest.approx(expected, rel=0.1)


def test_a_tone_lies_in_its_mel_band() -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(SAMPLE_RATE) / SAMPLE_RATE)
    bands = mel_bands(spectrogram(tone, SAMPLE_RATE), SAMPLE_RATE)
    assert bands.shape == (125, BANDS)
    assert mel_cepstra(tone, SAMPLE_RATE).shape == (125, CEPSTRA)
    # 1000 Hz are 1000 mel of 2840: step 14 of 41, and the first band is step 1.
    assert set(bands[10:-10].argmax(axis=1)) == {13}


def test_the_best_path_may_wait_but_not_go_back() -> None:
    assert mean_along_best_path(np.array([[0.0, 5.0], [0.0, 5.0], [5.0, 0.0]])) == 0
    assert mean_along_best_path(np.array([[1.0, 9.0], [9.0, 3.0]])) == 2
    assert mean_along_best_path(np.array([[9.0, 9.0, 1.0], [1.0, 9.0, 9.0]])) == 9


# --- the table


class Changed:
    """Says what the teacher says, after a change."""

    def __init__(self, teacher: Teacher, change: Callable[[Samples], Samples]) -> None:
        self._teacher, self._change = teacher, change

    def speak(self, sentence: Sentence) -> Samples:
        return self._change(self._teacher.speak(sentence))


def table(teacher: Teacher, change: Callable[[Samples], Samples]) -> dict[str, Row]:
    pairs = list(compared(Changed(teacher, change), teacher, SENTENCES))
    return {row.measure: row for row in measure(pairs)}


def decisive(rows: dict[str, Row]) -> tuple[Row, Row]:
    distance_row, length_row = (row for row in rows.values() if row.bar is not None)
    return distance_row, length_row


def test_the_teacher_itself_reaches_every_bar(teacher: Teacher) -> None:
    distance_row, length_row = decisive(table(teacher, lambda samples: samples))
    assert (distance_row.result, length_row.result) == (0, 1)
    assert distance_row.line.endswith("| 0.00 dB | ≤ 7.00 dB | ok |")
    assert length_row.line.endswith("| 100.0 % | ≥ 90.0 % | ok |")


def test_noise_of_the_right_length_misses_the_first_bar_only(teacher: Teacher) -> None:
    distance_row, length_row = decisive(table(teacher, noise))
    assert (distance_row.ok, length_row.ok) == (False, True)


@pytest.mark.parametrize("factor", [0.8, 1.2])
def test_speech_that_is_too_long_or_too_short_misses_the_second_bar(teacher: Teacher, factor: float) -> None:
    rows = table(teacher, lambda samples: slower(samples, factor))
    assert not decisive(rows)[1].ok
    assert rows["- mean difference of length"].result == pytest.approx(0.2, abs=0.01)


def test_each_language_has_its_row(teacher: Teacher) -> None:
    rows = table(teacher, lambda samples: samples)
    assert (rows["- in English"].count, rows["- in Chinese"].count) == (3, 3)


# --- the program


def test_an_untrained_voice_misses_its_bars_and_is_shown_beside_its_teacher(
    untrained: Path, tmp_path: Path
) -> None:
    rows = list(evaluation.examine_voice(untrained, tmp_path, share=0.05))
    assert [row.ok for row in rows if row.bar is not None] == [False, False]
    page = (tmp_path / "voice.md").read_text(encoding="utf-8")
    assert all(sentence.text in page for sentence in unseen_sentences(4))
    assert "MISSED" in page
    with Image.open(tmp_path / "voice.png") as image:
        assert image.format == "PNG"


def test_a_spectrogram_shows_high_sounds_above_low_ones() -> None:
    time_s = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    for pitch, row in ((7000, 1 / 8), (1000, 7 / 8)):
        image = np.asarray(picture(np.sin(2 * np.pi * pitch * time_s)).convert("L"))
        brightest = image[:, 20:-20].mean(axis=1).argmax() / image.shape[0]
        assert brightest == pytest.approx(row, abs=0.02)


def test_teacher_and_pupil_stand_side_by_side(spoken: list[Samples], tmp_path: Path) -> None:
    pairs = [
        Pair(sentence, samples, np.zeros_like(samples), 1.0)
        for sentence, samples in zip(SENTENCES, spoken, strict=True)
    ]
    write_spectrograms(pairs, tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as image:
        pixels = np.asarray(image.convert("RGB"))
    width, height = picture(max(spoken[:4], key=len)).size
    assert pixels.shape[1] > 2 * width
    assert pixels.shape[0] > 4 * height
    left, right = pixels[30:130, 10:60], pixels[30:130, 2 * 6 + width : 2 * 6 + width + 50]
    assert left.std() > 20
    assert right.reshape(-1, 3).std(axis=0).max() < 1
