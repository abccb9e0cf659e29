"""Teaches the text encoders what captions say, before the UNet hears them.

SDXL's encoders come trained as well (Podell et al. 2023, section 2.1). From the UNet's mistakes alone these would
learn slowly which words are colours, which things they belong to, and that two languages mean the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import get_args

import torch
from torch.nn.functional import cross_entropy
from typing_extensions import override

from gpu_workers.demo import together
from gpu_workers.demo.image_training.captions import caption
from gpu_workers.demo.image_training.networks import TEXT_WIDTH, TextEncoders, tokenize
from gpu_workers.demo.image_training.scenes import (
    BACKGROUNDS,
    COLOURS,
    MAX_COUNT,
    ROOFS,
    SHAPES,
    Arrangement,
    Land,
    Landscape,
    Objects,
    Scene,
    Side,
    Size,
    Sky,
    Trees,
    Water,
    training_scene,
)
from gpu_workers.demo.image_training.tokens import Merges, make_tokenizers
from gpu_workers.demo.precision import half_precision
from gpu_workers.demo.training_run import Course, TrainingRun

BATCH = 128
NOTHING = ""
# Of groups as of a scene's parts: what is not there is NOTHING.
_GROUP: dict[str, tuple[object, ...]] = {
    "shape": (NOTHING, *SHAPES),
    "colour": (NOTHING, *COLOURS),
    "count": (NOTHING, *range(1, MAX_COUNT + 1)),
}
# What a caption may tell of a scene, and all that it may be.
QUESTIONS: dict[str, tuple[object, ...]] = {
    "background": (NOTHING, *BACKGROUNDS),
    "arrangement": (NOTHING, *get_args(Arrangement)),
    "size": (NOTHING, *get_args(Size)),
    **{f"first {name}": values for name, values in _GROUP.items()},
    **{f"second {name}": values for name, values in _GROUP.items()},
    "sky": (NOTHING, *get_args(Sky)),
    "light": (NOTHING, *get_args(Side)),
    "land": (NOTHING, *get_args(Land)),
    "water": (NOTHING, *(water for water in get_args(Water) if water)),
    "houses": (NOTHING, 1, 2),
    "roof": (NOTHING, *ROOFS),
    "trees": (NOTHING, 1, 2, 3),
    "tree": (NOTHING, *get_args(Trees)),
    "clouds": (NOTHING, True),
    "boat": (NOTHING, True),
}
_SIZES = [len(values) for values in QUESTIONS.values()]


def answers(scene: Scene) -> tuple[int, ...]:
    """For each of the QUESTIONS the number of its answer."""
    told = _told_of_landscape(scene) if isinstance(scene, Landscape) else _told_of_objects(scene)
    return tuple(values.index(told.get(name) or NOTHING) for name, values in QUESTIONS.items())


def _told_of_objects(scene: Objects) -> dict[str, object]:
    told: dict[str, object] = {name: getattr(scene, name) for name in ("background", "arrangement", "size")}
    for place, group in zip(("first", "second"), scene.groups, strict=False):
        told |= {f"{place} {name}": getattr(group, name) for name in _GROUP}
    return told


def _told_of_landscape(scene: Landscape) -> dict[str, object]:
    told: dict[str, object] = {
        name: getattr(scene, name)
        for name in ("sky", "light", "land", "water", "houses", "trees", "clouds", "boat")
    }
    return told | {"roof": scene.houses and scene.roof, "tree": scene.trees and scene.tree}


class Reader(torch.nn.Module):  # type: ignore[misc]  # torch's own types are not read
    """Both text encoders and, for each question, two ways to read its answer: those in which the UNet reads them.

    One is the pooled text, the other attends to the states of all tokens. Only the encoders are kept.
    """

    def __init__(self, vocabulary: dict[str, int]) -> None:
        super().__init__()
        self.texts = TextEncoders(vocabulary)
        self.from_pooled = torch.nn.Linear(TEXT_WIDTH, sum(_SIZES))
        width = 2 * TEXT_WIDTH
        self.queries = torch.nn.Parameter(torch.randn(len(_SIZES), width))
        self.keys = torch.nn.Linear(width, width)
        self.from_states = torch.nn.ModuleList(torch.nn.Linear(width, size) for size in _SIZES)

    @override
    def forward(self, tokens: Sequence[torch.Tensor]) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """The scores of each question's answers, texts × answers: by the pooled text, and by the states."""
        states, pooled = self.texts(tokens)
        by_pooled = list(self.from_pooled(pooled).split(_SIZES, dim=-1))
        looks = (self.queries @ self.keys(states).mT / math.sqrt(states.shape[-1])).softmax(dim=-1)
        found = looks @ states
        return by_pooled, [read(found[:, number]) for number, read in enumerate(self.from_states)]


def train_texts(
    state: Path, tokens: tuple[dict[str, int], Merges], *, seed: int, steps: int, device: str
) -> TextEncoders:
    """The averaged encoders after `steps`; goes on from the state on disk."""
    torch.manual_seed(seed)
    reader = Reader(tokens[0]).to(device)
    if device == "cpu":
        reader.texts.attend_plainly()
    tokenizers = make_tokenizers(*tokens)

    def loss_of(step: int) -> torch.Tensor:
        draw = Random(f"texts {seed} {step}")
        numbers = range(step * BATCH, (step + 1) * BATCH)[together.my_part()]
        scenes = [training_scene(seed, number) for number in numbers]
        ids = tokenize(tokenizers, [caption(scene, draw) for scene in scenes])
        wanted = torch.tensor([answers(scene) for scene in scenes], device=device)
        with half_precision(torch.device(device)):
            ways = reader([each.to(device) for each in ids])
        losses = [
            cross_entropy(scores.float(), wanted[:, number])
            for scores_of_all in ways
            for number, scores in enumerate(scores_of_all)
        ]
        return torch.stack(losses).mean()

    course = Course(steps, rate=2e-3, warm_up=100, memory=0.995)
    trained = TrainingRun(reader, course, state / "texts.safetensors").run(loss_of)
    assert isinstance(trained, Reader)  # noqa: S101  what TrainingRun was given
    return trained.texts
