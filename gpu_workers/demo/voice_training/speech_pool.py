"""Spoken sentences with their tokens, made once and kept on disk; batches of sentences of about one length."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from gpu_workers.demo.voice_training.network import HOP, SEGMENT, Reader
from gpu_workers.demo.voice_training.sentences import training_sentence
from gpu_workers.demo.voice_training.teacher import LANGUAGES, Teacher
from gpu_workers.engines.audio import FULL_SCALE

log = logging.getLogger(__name__)

SHARD = 256
BATCH = 8
# So many batches are drawn together and sorted by length: little of a batch is padding then.
_SORTED = 8


@dataclass(frozen=True, slots=True)
class Utterance:
    """A sentence as the network learns it: token ids, samples as int16, which language."""

    tokens: torch.Tensor
    samples: torch.Tensor
    language: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Utterances side by side, padded with zeros: tokens [n, t], waves [n, 1, samples], a whole number of frames."""

    tokens: torch.Tensor
    token_lengths: torch.Tensor
    waves: torch.Tensor
    frames: torch.Tensor
    languages: torch.Tensor

    def to(self, device: torch.device) -> Batch:
        """The same on another device."""
        return Batch(*(getattr(self, name).to(device) for name in self.__slots__))


def make_pool(reader: Reader, folder: Path, *, seed: int, sentences: int) -> list[Utterance]:
    """The first training sentences, spoken. `folder` keeps what is done; `sentences` is rounded up to whole shards."""
    folder.mkdir(parents=True, exist_ok=True)
    pool: list[Utterance] = []
    teacher = Teacher()
    try:
        for first in range(0, sentences, SHARD):
            file = folder / f"sentences-{first:06d}.safetensors"
            if not file.exists():
                _save([_spoken(teacher, reader, seed, first + row) for row in range(SHARD)], file)
                log.info("%d sentences spoken", first + SHARD)
            pool += _load(file)
    finally:
        teacher.close()
    return pool


def batch_of(pool: Sequence[Utterance], seed: int, step: int) -> Batch:
    """What step `step` learns from: follows from the seed and the step alone."""
    group, place = divmod(step, _SORTED)
    rng = Random(f"{seed} {group}")
    drawn = sorted(rng.choices(pool, k=_SORTED * BATCH), key=lambda utterance: len(utterance.samples))
    order = rng.sample(range(_SORTED), _SORTED)
    start = order[place] * BATCH
    return collate(drawn[start : start + BATCH])


def collate(utterances: Sequence[Utterance]) -> Batch:
    """Put utterances side by side."""
    tokens = [utterance.tokens.long() for utterance in utterances]
    # A sentence shorter than the segment ends in silence.
    frames = [max(len(utterance.samples) // HOP, SEGMENT) for utterance in utterances]
    waves = torch.zeros(len(utterances), 1, max(frames) * HOP)
    for row, utterance in enumerate(utterances):
        kept = utterance.samples[: frames[row] * HOP]
        waves[row, 0, : len(kept)] = kept.float() / FULL_SCALE
    return Batch(
        torch.nn.utils.rnn.pad_sequence(tokens, batch_first=True),
        torch.tensor([len(ids) for ids in tokens]),
        waves,
        torch.tensor(frames),
        torch.tensor([utterance.language for utterance in utterances]),
    )


def _spoken(teacher: Teacher, reader: Reader, seed: int, number: int) -> Utterance:
    sentence = training_sentence(seed, number)
    samples = np.rint(teacher.speak(sentence) * FULL_SCALE).astype(np.int16)
    language = list(LANGUAGES).index(sentence.language)
    return Utterance(
        torch.tensor(reader.read(sentence), dtype=torch.int16), torch.from_numpy(samples), language
    )


def _save(utterances: Sequence[Utterance], file: Path) -> None:
    scratch = file.with_suffix(".part")
    shard = {
        "tokens": torch.cat([utterance.tokens for utterance in utterances]),
        "token_counts": torch.tensor([len(utterance.tokens) for utterance in utterances]),
        "samples": torch.cat([utterance.samples for utterance in utterances]),
        "sample_counts": torch.tensor([len(utterance.samples) for utterance in utterances]),
        "languages": torch.tensor([utterance.language for utterance in utterances]),
    }
    save_file(shard, scratch)
    scratch.replace(file)


def _load(file: Path) -> list[Utterance]:
    shard = load_file(file)
    tokens = shard["tokens"].split(shard["token_counts"].tolist())
    samples = shard["samples"].split(shard["sample_counts"].tolist())
    return [Utterance(*each) for each in zip(tokens, samples, shard["languages"].tolist(), strict=True)]
