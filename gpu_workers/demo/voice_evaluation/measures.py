"""What is measured of the demo voice, with the bars it has to reach."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gpu_workers.demo.scores import Row
from gpu_workers.demo.voice_evaluation.cepstra import distance
from gpu_workers.demo.voice_evaluation.speaking import loaded
from gpu_workers.demo.voice_training.sentences import Sentence, unseen_sentences
from gpu_workers.demo.voice_training.teacher import SAMPLE_RATE, Teacher

FARTHEST_DB = 7.0
LENGTH_TOLERANCE, LEAST_WITHIN = 0.15, 0.9


class Voice(Protocol):
    """Whatever says a sentence at the sample rate of the demo voice."""

    def speak(self, sentence: Sentence) -> NDArray[np.float32]: ...


@dataclass(frozen=True, slots=True)
class Pair:
    """A sentence as both say it."""

    sentence: Sentence
    teacher: NDArray[np.float32]
    pupil: NDArray[np.float32]
    taken_s: float

    @property
    def distance_db(self) -> float:
        """How far apart they sound."""
        return distance(self.teacher, self.pupil, SAMPLE_RATE)

    @property
    def length_ratio(self) -> float:
        """How much longer the pupil takes: 1 is as long as the teacher."""
        return len(self.pupil) / len(self.teacher)


def spoken_pairs(folder: Path, count: int) -> list[Pair]:
    """Unseen sentences, said by the voice of a folder and by its teacher."""
    teacher = Teacher()
    try:
        with loaded(folder) as speaker:
            if speaker.rate != SAMPLE_RATE:
                raise ValueError(
                    f"The voice in {folder} speaks at {speaker.rate} Hz, not at {SAMPLE_RATE} Hz."
                )
            return list(compared(speaker, teacher, unseen_sentences(count)))
    finally:
        teacher.close()


def compared(pupil: Voice, teacher: Voice, sentences: Sequence[Sentence]) -> Iterator[Pair]:
    """Have both say each sentence."""
    for sentence in sentences:
        started_s = time.perf_counter()
        said = pupil.speak(sentence)
        taken_s = time.perf_counter() - started_s
        yield Pair(sentence, teacher.speak(sentence), said, taken_s)


def measure(pairs: Sequence[Pair]) -> Iterator[Row]:
    """The rows of the table; those with a bar decide."""
    distances = [pair.distance_db for pair in pairs]
    yield _distance("mel-cepstral distance to the teacher, unseen sentences", distances, FARTHEST_DB)
    for name, language in (("English", "en"), ("Chinese", "zh")):
        share = [
            away for away, pair in zip(distances, pairs, strict=True) if pair.sentence.language == language
        ]
        yield _distance(f"- in {name}", share)
    away = [abs(pair.length_ratio - 1) for pair in pairs]
    within = fmean(each <= LENGTH_TOLERANCE for each in away)
    yield Row("length within 15 % of the teacher's", len(pairs), within, LEAST_WITHIN)
    yield Row("- mean difference of length", len(pairs), fmean(away))
    spoken_s = sum(len(pair.pupil) for pair in pairs) / SAMPLE_RATE
    taken_s = sum(pair.taken_s for pair in pairs)
    yield Row("seconds to say one second", len(pairs), taken_s / spoken_s, unit="s")


def _distance(name: str, distances: Sequence[float], bar: float | None = None) -> Row:
    return Row(name, len(distances), fmean(distances), bar, "dB", at_most=True)
