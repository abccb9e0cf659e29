"""What is measured of the demo image model, with the bars it has to reach."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from statistics import fmean, median
from typing import Any

import numpy as np
import torch
from PIL import Image

from gpu_workers.demo.image_evaluation.judge import (
    ObjectsVerdict,
    Parts,
    find_parts,
    judge_objects,
)
from gpu_workers.demo.image_evaluation.painting import STEPS, Order, Painter, loaded
from gpu_workers.demo.image_evaluation.pixels import Thing, look
from gpu_workers.demo.image_training.captions import full_caption
from gpu_workers.demo.image_training.drawing import paint
from gpu_workers.demo.image_training.scenes import (
    COLOURS,
    SIDE,
    Group,
    Landscape,
    Objects,
    Scene,
    unseen_landscape,
    unseen_objects,
)
from gpu_workers.demo.scores import Row

SEED = 7
_LEAST_RIGHT, _LONGEST_S = 0.85, 5.0
# Pixels that a thing may move when a picture is only recoloured.
_MOVED = 12.0
# How a caption names the parts of a landscape.
_NAMES = {
    "light": re.compile(r"\bsun\b|moon|太阳|月"),
    "water": re.compile(r"lake|\bsea\b|湖|海"),
    "houses": re.compile(r"house|房"),
    "trees": re.compile(r"tree|pine|树"),
}


def measure(folder: Path, *, count: int) -> Iterator[Row]:
    """Paint and judge, about `count` pictures for the measure with the bar and fewer for the others."""
    with loaded(folder) as painter:
        yield from _objects(painter, count)
        yield _pairs(painter, count // 2)
        yield _landscapes(painter, count // 2)
        yield from _guidance(painter, count // 4)
        yield from _negative_prompt(painter, count // 4)
        yield _image_to_image(painter, count // 4)
        yield from _inpainting(painter, count // 4)
        yield _speed(painter)


def _objects(painter: Painter, count: int) -> Iterator[Row]:
    scenes = [unseen_objects(SEED, number) for number in range(count)]
    verdicts = _judged(painter, scenes)
    yield Row(
        "unseen combinations: colour, shape and count right",
        count,
        fmean(verdict.right for verdict in verdicts),
        _LEAST_RIGHT,
    )
    for part in ("colour", "shape", "count", "background", "arrangement"):
        yield Row(f"- {part}", count, fmean(getattr(verdict, part) for verdict in verdicts))
    for language, start in (("English", 0), ("Chinese", 1)):
        share = verdicts[start::2]
        yield Row(f"- ordered in {language}", len(share), fmean(verdict.right for verdict in share))


def _pairs(painter: Painter, count: int) -> Row:
    verdicts = _judged(painter, [unseen_objects(SEED, number, groups=2) for number in range(count)])
    return Row("two unlike groups: all of both right", count, fmean(verdict.right for verdict in verdicts))


def _landscapes(painter: Painter, count: int) -> Row:
    """Of what the captions name, the share that is there."""
    scenes = [unseen_landscape(SEED, number) for number in range(count)]
    orders = _orders(scenes)
    there = [
        shown
        for image, order, scene in zip(painter.paint(orders), orders, scenes, strict=True)
        for shown in _named_parts(find_parts(image), order.prompt, scene)
    ]
    return Row("unseen landscapes: named part is there", len(there), fmean(there))


def _named_parts(found: Parts, prompt: str, scene: Landscape) -> Iterator[bool]:
    if scene.sky != "day":  # what goes without saying, sometimes
        yield found.sky == scene.sky
    for part, words in _NAMES.items():
        if words.search(prompt):
            yield bool(getattr(found, part))


def _guidance(painter: Painter, count: int) -> Iterator[Row]:
    scenes = [unseen_objects(SEED + 1, number) for number in range(count)]
    for guidance in (1.0, 3.0, 6.0):
        verdicts = _judged(painter, scenes, guidance=guidance)
        yield Row(f"guidance {guidance:g}: right", count, fmean(verdict.right for verdict in verdicts))


def _negative_prompt(painter: Painter, count: int) -> Iterator[Row]:
    """How often a night has a moon, and a day a house, with and without asking for none."""
    for prompt, unwanted, part in (("night", "moon", "light"), ("白天", "房子", "houses")):
        for negative in ("", unwanted):
            orders = [Order(prompt, negative, seed=number) for number in range(count)]
            found = [bool(getattr(find_parts(image), part)) for image in painter.paint(orders)]
            yield Row(f"{prompt!r} without {negative!r}: has it", count, fmean(found))


def _image_to_image(painter: Painter, count: int) -> Row:
    """Drawn shapes are ordered in another colour: the new colour comes, and nothing moves."""
    kept = []
    for number in range(count):
        scene = unseen_objects(SEED + 2, number)
        (group,) = scene.groups
        other = Random(number).choice([c for c in COLOURS if c not in (group.colour, scene.background)])
        recoloured = replace(scene, groups=(replace(group, colour=other),))
        order = replace(_orders([recoloured])[0], seed=number, image=paint(scene))
        (image,) = painter.paint([order], strength=0.8)
        kept.append(judge_objects(image, recoloured).colour and _in_place(look(image).things, group))
    return Row("image-to-image: recoloured, and every thing in its place", count, fmean(kept))


def _in_place(things: Sequence[Thing], group: Group) -> bool:
    """Whether each thing lies where one of the group was, and each of the group has its thing."""
    spots = [(place.x, place.y) for place in group.places]
    return len(things) == len(spots) and all(
        any(math.dist((thing.x, thing.y), spot) <= _MOVED for thing in things) for spot in spots
    )


def _inpainting(painter: Painter, count: int) -> Iterator[Row]:
    """One thing is there; the mask is the empty half beside or below it, and the order names both."""
    filled, untouched = [], []
    mask = Image.new("L", (SIDE, SIDE))
    for number in range(count):
        scene = _pair_of_two(number)
        half = (SIDE // 2, 0, SIDE, SIDE) if scene.arrangement == "beside" else (0, SIDE // 2, SIDE, SIDE)
        mask.paste(0, (0, 0, SIDE, SIDE))
        mask.paste(255, half)
        before = paint(replace(scene, groups=scene.groups[:1]))
        (image,) = painter.paint([replace(_orders([scene])[0], seed=number, image=before, mask=mask)])
        outside = np.asarray(mask) == 0
        untouched.append(bool((np.asarray(image)[outside] == np.asarray(before)[outside]).all()))
        filled.append(judge_objects(image, scene).right)
    yield Row("inpainting: the ordered thing is painted into the mask", count, fmean(filled))
    yield Row("inpainting: outside the mask every pixel as before", count, fmean(untouched), 1.0)


def _pair_of_two(number: int) -> Objects:
    """One thing and one other."""
    draws = (unseen_objects(SEED + 3 + attempt, number, groups=2) for attempt in itertools.count())
    return next(scene for scene in draws if all(group.count == 1 for group in scene.groups))


def _speed(painter: Painter) -> Row:
    order = Order("three red circles on a blue background", "green")
    painter.seconds(order)  # the first run prepares what later ones use
    taken_s = [painter.seconds(order) for _ in range(3)]
    measure = f"one picture, {SIDE} px, {STEPS} steps, {torch.get_num_threads()} cores"
    return Row(measure, len(taken_s), median(taken_s), _LONGEST_S, "s", at_most=True)


def _judged(painter: Painter, scenes: Sequence[Objects], **params: Any) -> list[ObjectsVerdict]:
    images = painter.paint(_orders(scenes), **params)
    return [judge_objects(image, scene) for image, scene in zip(images, scenes, strict=True)]


def _orders(scenes: Sequence[Scene]) -> list[Order]:
    """Every other one in Chinese, each with a seed of its own."""
    return [
        Order(full_caption(scene, Random(f"order {number}"), ("en", "zh")[number % 2]), seed=number)
        for number, scene in enumerate(scenes)
    ]
