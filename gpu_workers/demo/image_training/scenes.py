"""What the demo image model learns to paint: shapes on a plain background, and landscapes.

A scene is data. `drawing` paints it, `captions` describes it, and the judge of the evaluation looks for it.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal, TypeVar

SIDE = 128
SHAPES = ("circle", "square", "triangle", "star", "diamond", "ring", "heart", "cross")
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "white", "black")
BACKGROUNDS = (*COLOURS, "grey")
MAX_COUNT = 4
ROOFS = ("red", "blue", "orange")

Arrangement = Literal["alone", "row", "column", "grid", "scattered", "beside", "above"]
Size = Literal["small", "usual", "large"]
Side = Literal["left", "right"]
Sky = Literal["day", "sunset", "night"]
Land = Literal["meadow", "hills", "mountains"]
Water = Literal["", "lake", "sea"]
Trees = Literal["round", "pine"]

_HELD_OUT_PERCENT = 15
_LANDSCAPES, _PAIRS = 0.35, 0.2
# Pixels between two things, and between a thing and the edge.
_GAP, _MARGIN = 8.0, 4.0
_RADII: dict[Size, tuple[float, float]] = {"small": (12, 15), "usual": (18, 26), "large": (33, 42)}
_ROW_RADII = {2: (14.0, 24.0), 3: (13.0, 16.5), 4: (11.0, 12.0)}
# Of a busy scene, a side.
_CELLS = 4
_AREA_RADII = {2: (14.0, 22.0), 3: (13.0, 20.0), 4: (13.0, 16.0)}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a thing is, in pixels."""

    x: float
    y: float
    radius: float


@dataclass(frozen=True, slots=True)
class Group:
    """Things that are alike."""

    shape: str
    colour: str
    places: tuple[Place, ...]

    @property
    def count(self) -> int:
        return len(self.places)


@dataclass(frozen=True, slots=True)
class Objects:
    """One or two groups; of two, the first is left of the second (`beside`) or above it.

    `seed` decides the shades.
    """

    groups: tuple[Group, ...]
    background: str
    arrangement: Arrangement
    size: Size
    seed: int


@dataclass(frozen=True, slots=True)
class Landscape:
    """`light` says where the sun or, at night, the moon stands; `seed` decides the outlines."""

    sky: Sky
    light: Side | None
    land: Land
    water: Water
    houses: int
    roof: str
    trees: int
    tree: Trees
    clouds: bool
    boat: bool
    seed: int


Scene = Objects | Landscape
S = TypeVar("S", bound=Scene)


def training_scene(seed: int, number: int) -> Scene:
    """Scene `number` of an endless row without anything that is held out."""
    return _first(Random(f"train {seed} {number}"), draw_scene, held_out=False)


def busy_scene(seed: int, number: int) -> Objects:
    """Scene `number` of another endless row: sixteen things, one in each cell. No caption tells of it."""
    draw = Random(f"busy {seed} {number}")
    background = draw.choice(BACKGROUNDS)
    looks = [
        (shape, colour)
        for shape in SHAPES
        for colour in COLOURS
        if colour != background and not _is_chosen(colour, shape, 1)
    ]
    groups = tuple(Group(*draw.choice(looks), (_in_cell(draw, cell),)) for cell in range(_CELLS**2))
    return Objects(groups, background, "scattered", "small", draw.getrandbits(32))


def unseen_objects(seed: int, number: int, *, groups: int = 1) -> Objects:
    """Objects in combinations that no training scene has."""
    draw = Random(f"unseen objects {groups} {seed} {number}")
    return _first(draw, _draw_group if groups == 1 else _draw_pair, held_out=True)


def unseen_landscape(seed: int, number: int) -> Landscape:
    """A landscape with a combination of parts that no training scene has."""
    return _first(Random(f"unseen landscape {seed} {number}"), _draw_landscape, held_out=True)


def is_held_out(scene: Scene) -> bool:
    """A fixed share of the combinations of colour, shape and count, of pairs, and of a landscape's parts."""
    if isinstance(scene, Landscape):
        parts = (scene.sky, scene.light is None, scene.land, scene.water, scene.houses, scene.trees)
        return _is_chosen("landscape", *parts)
    return any(_is_chosen(group.colour, group.shape, group.count) for group in scene.groups) or (
        len(scene.groups) == 2
        and _is_chosen("pair", *sorted(f"{group.colour} {group.shape}" for group in scene.groups))
    )


def draw_scene(draw: Random) -> Scene:
    """Any scene, held out or not."""
    kind = draw.random()
    if kind < _LANDSCAPES:
        return _draw_landscape(draw)
    return _draw_pair(draw) if kind < _LANDSCAPES + _PAIRS else _draw_group(draw)


def third(position: float) -> int:
    """0, 1 or 2: in which third of the picture a coordinate lies."""
    return min(2, max(0, int(3 * position / SIDE)))


def _first(draw: Random, make: Callable[[Random], S], *, held_out: bool) -> S:
    while is_held_out(scene := make(draw)) is not held_out:
        pass
    return scene


def _is_chosen(*facts: object) -> bool:
    return zlib.crc32(repr(facts).encode()) % 100 < _HELD_OUT_PERCENT


# --- objects


def _draw_group(draw: Random) -> Objects:
    count = draw.choice((1, 2, 3, 4))
    if count == 1:
        size: Size = draw.choice(("small", "usual", "usual", "large"))
        return _objects(draw, "alone", size, [(_anywhere(draw, draw.uniform(*_RADII[size])),)])
    arrangement: Arrangement = draw.choice(("row", "column", "scattered", "grid" if count == 4 else "row"))
    return _objects(draw, arrangement, "usual", [_places(draw, arrangement, count)])


def _draw_pair(draw: Random) -> Objects:
    """Each group in its half of the picture, as a line along the border between them."""
    counts = draw.choice(((1, 1), (1, 1), (1, 2), (2, 1), (2, 2)))
    arrangement: Arrangement = draw.choice(("beside", "above"))
    radius = draw.uniform(14, 22)
    groups = []
    for half, count in enumerate(counts):
        across = SIDE * (0.25 + 0.5 * half) + draw.uniform(-5, 5)
        along = _line(draw, count, radius) if count > 1 else [draw.uniform(54, 74)]
        lines = [(across, place) if arrangement == "beside" else (place, across) for place in along]
        groups.append(tuple(Place(x, y, radius) for x, y in lines))
    return _objects(draw, arrangement, "usual", groups)


def _objects(
    draw: Random, arrangement: Arrangement, size: Size, places: Sequence[tuple[Place, ...]]
) -> Objects:
    """Give each group a look of its own, and none the colour of the background."""
    background = "white" if draw.random() < 0.25 else draw.choice(BACKGROUNDS)
    colours = [colour for colour in COLOURS if colour != background]
    looks = draw.sample([(shape, colour) for shape in SHAPES for colour in colours], len(places))
    groups = tuple(Group(*look, group) for look, group in zip(looks, places, strict=True))
    return Objects(groups, background, arrangement, size, draw.getrandbits(32))


def _anywhere(draw: Random, radius: float) -> Place:
    """In one of nine places, which a caption can name; what is large only fits into the middle."""
    reach = SIDE / 2 - radius - _MARGIN
    x, y = (
        SIDE / 2 + side * reach + draw.uniform(-3, 3) * (side == 0) for side in draw.choices((-1, 0, 1), k=2)
    )
    return Place(x, y, radius) if reach > 30 else Place(SIDE / 2, SIDE / 2, radius)


def _places(draw: Random, arrangement: Arrangement, count: int) -> tuple[Place, ...]:
    if arrangement == "scattered":
        return _scattered(draw, count)
    if arrangement == "grid":
        radius = draw.uniform(*_AREA_RADII[4])
        columns, rows = _line(draw, 2, radius), _line(draw, 2, radius)
        return tuple(Place(x, y, radius) for y in rows for x in columns)
    radius = draw.uniform(*_ROW_RADII[count])
    across, along = SIDE / 2 + draw.uniform(-24, 24), _line(draw, count, radius)
    if arrangement == "row":
        return tuple(Place(place, across, radius) for place in along)
    return tuple(Place(across, place, radius) for place in along)


def _line(draw: Random, count: int, radius: float) -> list[float]:
    """Even steps from edge to edge, with room between the things."""
    room = SIDE - 2 * (radius + _MARGIN)
    least = 2 * radius + _GAP
    step = draw.uniform(least, min(room / (count - 1), 1.7 * least))
    first = radius + _MARGIN + draw.random() * (room - step * (count - 1))
    return [first + step * number for number in range(count)]


def _in_cell(draw: Random, cell: int) -> Place:
    row, column = divmod(cell, _CELLS)
    side = SIDE / _CELLS
    radius = draw.uniform(8, side / 2)
    x, y = ((place + 0.5) * side + draw.uniform(-2, 2) for place in (column, row))
    return Place(x, y, radius)


def _scattered(draw: Random, count: int) -> tuple[Place, ...]:
    radius = draw.uniform(*_AREA_RADII[count])
    low, high = radius + _MARGIN, SIDE - radius - _MARGIN
    while True:
        points = [(draw.uniform(low, high), draw.uniform(low, high)) for _ in range(count)]
        apart = min((x - u) ** 2 + (y - v) ** 2 for n, (x, y) in enumerate(points) for u, v in points[:n])
        if apart > (2 * radius + _GAP) ** 2:
            return tuple(Place(x, y, radius) for x, y in points)


# --- landscapes


def _draw_landscape(draw: Random) -> Landscape:
    sky: Sky = draw.choice(("day", "sunset", "night"))
    water: Water = draw.choice(("", "lake", "sea"))
    light: Side | None = draw.choice(("left", "right", None))
    return Landscape(
        sky=sky,
        light=light,
        land=draw.choice(("meadow", "hills", "mountains")),
        water=water,
        houses=draw.choice((0, 0, 1, 1, 2)),
        roof=draw.choice(ROOFS),
        trees=draw.choice((0, 0, 1, 2, 3)),
        tree=draw.choice(("round", "pine")),
        clouds=sky != "night" and draw.random() < 0.3,
        boat=bool(water) and draw.random() < 0.3,
        seed=draw.getrandbits(32),
    )
