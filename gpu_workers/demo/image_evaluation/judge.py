"""Whether a picture shows the scene that was ordered; by arithmetic on its pixels, without a model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from gpu_workers.demo.image_evaluation.pixels import (
    Mask,
    Pixels,
    Thing,
    as_pixels,
    connected,
    distance,
    look,
    nearest_colour,
)
from gpu_workers.demo.image_training.drawing import (
    EVENING_SUN,
    GRASS,
    LAND,
    LEAVES,
    MOON,
    ROOF_COLOURS,
    SKIES,
    SNOW,
    SUN,
    TRUNK,
    WALL,
    WATER,
    tinted,
)
from gpu_workers.demo.image_training.scenes import SIDE, Landscape, Objects, Side, third

_MOST_SPECKS = 120
# Things in a line are at most so many pixels beside it.
_LINE = 12

_SKY_UNTIL, _LAND_FROM = 50, 44
_SKY_TOPS = {sky: top for sky, (top, _) in SKIES.items()}
_LIGHTS = {"day": SUN, "sunset": EVENING_SUN, "night": MOON}
_LAND_COLOURS = (
    ("land", GRASS),
    *(("land", colour) for colour in LAND.values()),
    ("land", SNOW),
    ("water", WATER),
    ("wall", WALL),
    *(("roof", colour) for colour in ROOF_COLOURS.values()),
    *(("leaves", colour) for colour in LEAVES.values()),
    ("wood", TRUNK),
)
_NEAR, _SUN_PIXELS, _SOME, _MUCH = 35, 200, 25, 90


@dataclass(frozen=True, slots=True)
class ObjectsVerdict:
    """What is right; `right` is colour, shape and count of each group together, on a clean picture."""

    right: bool
    colour: bool
    shape: bool
    count: bool
    background: bool
    arrangement: bool


@dataclass(frozen=True, slots=True)
class LandscapeVerdict:
    """Which parts of a landscape are there, or not there, as ordered."""

    sky: bool
    light: bool
    water: bool
    houses: bool
    trees: bool

    @property
    def right(self) -> bool:
        return self.sky and self.light and self.water and self.houses and self.trees


def judge_objects(image: Image.Image, scene: Objects) -> ObjectsVerdict:
    """Compare what is seen with what was ordered."""
    seen = look(image)
    looks = Counter((thing.colour, thing.shape) for thing in seen.things)
    wanted = Counter({(group.colour, group.shape): group.count for group in scene.groups})
    clean = seen.specks <= _MOST_SPECKS
    return ObjectsVerdict(
        right=looks == wanted and clean,
        colour={colour for colour, _ in looks} == {colour for colour, _ in wanted},
        shape={shape for _, shape in looks} == {shape for _, shape in wanted},
        count=looks.total() == wanted.total() and clean,
        background=seen.background == scene.background,
        arrangement=looks == wanted and _is_arranged(seen.things, scene),
    )


def judge_landscape(image: Image.Image, scene: Landscape) -> LandscapeVerdict:
    """Look for each part by its colour, where it belongs."""
    found = find_parts(image)
    return LandscapeVerdict(
        sky=found.sky == scene.sky,
        light=found.light == scene.light,
        water=found.water == bool(scene.water),
        houses=found.houses == bool(scene.houses),
        trees=found.trees == bool(scene.trees),
    )


@dataclass(frozen=True, slots=True)
class Parts:
    """What a landscape holds; `light` is the side of the sun or moon."""

    sky: str
    light: str | None
    water: bool
    houses: bool
    trees: bool


def find_parts(image: Image.Image) -> Parts:
    """Look for the parts of a landscape in any picture."""
    pixels = as_pixels(image)
    sky = nearest_colour(np.median(pixels[:5].reshape(-1, 3), axis=0), _SKY_TOPS)
    if not sky:
        return Parts("", None, water=False, houses=False, trees=False)
    shares = _shares(pixels[_LAND_FROM:], sky)
    return Parts(
        sky=sky,
        light=_light(pixels[:_SKY_UNTIL], sky),
        water=shares["water"] > _MUCH,
        houses=shares["wall"] > _SOME and shares["roof"] > _SOME,
        trees=shares["leaves"] > _MUCH,
    )


def _shares(pixels: Pixels, sky: str) -> Counter[str]:
    """How many pixels have each part's colour under this sky, and no other's."""
    colours = [(part, tinted(colour, sky)) for part, colour in _LAND_COLOURS]
    colours += [("sky", colour) for colour in SKIES[sky]]
    away = np.stack([distance(pixels, colour) for _, colour in colours])
    nearest = away.argmin(axis=0)[away.min(axis=0) < _NEAR]
    return Counter(colours[index][0] for index in nearest.tolist())


def _light(sky_pixels: Pixels, sky: str) -> Side | None:
    """The side of the largest round area in the colour of the sun or moon."""
    areas = [area for area in connected(distance(sky_pixels, _LIGHTS[sky]) < _NEAR) if _is_disc(area)]
    if not areas:
        return None
    columns = np.nonzero(max(areas, key=np.sum))[1]
    return "left" if columns.mean() < SIDE / 2 else "right"


def _is_disc(area: Mask) -> bool:
    """As large as a sun, as wide as high, and with the empty corners of a circle."""
    rows, columns = np.nonzero(area)
    height, width = int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1
    return (
        len(rows) > _SUN_PIXELS and 0.75 < height / width < 1.33 and 0.65 < len(rows) / (height * width) < 0.9
    )


def _is_arranged(things: Sequence[Thing], scene: Objects) -> bool:
    across, down = [thing.x for thing in things], [thing.y for thing in things]
    if scene.arrangement == "alone":
        place = scene.groups[0].places[0]
        return (third(across[0]), third(down[0])) == (third(place.x), third(place.y))
    if scene.arrangement in ("beside", "above"):
        axis = across if scene.arrangement == "beside" else down
        first = scene.groups[0]
        of_first = [(thing.colour, thing.shape) == (first.colour, first.shape) for thing in things]
        return max(place for place, own in zip(axis, of_first, strict=True) if own) < min(
            place for place, own in zip(axis, of_first, strict=True) if not own
        )
    if scene.arrangement == "row":
        return max(down) - min(down) < _LINE
    if scene.arrangement == "column":
        return max(across) - min(across) < _LINE
    if scene.arrangement == "grid":
        return all(max(half) - min(half) < _LINE for line in (across, down) for half in _halves(line))
    return True


def _halves(line: Sequence[float]) -> tuple[Sequence[float], Sequence[float]]:
    ordered = sorted(line)
    return ordered[: len(line) // 2], ordered[len(line) // 2 :]
