"""Paints a scene: at twice the size and then reduced, so that edges are smooth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

from PIL import Image, ImageDraw

from gpu_workers.demo.image_training.scenes import SIDE, Group, Landscape, Objects, Place, Scene

Colour = tuple[int, int, int]
Point = tuple[float, float]

PALETTE: dict[str, Colour] = {
    "red": (220, 35, 40),
    "orange": (245, 140, 25),
    "yellow": (252, 222, 50),
    "green": (45, 160, 70),
    "blue": (35, 85, 210),
    "purple": (130, 55, 170),
    "pink": (248, 150, 190),
    "white": (250, 250, 250),
    "black": (22, 22, 26),
    "grey": (150, 150, 155),
}
# Colours of a landscape by day; what it looks like at night or in the evening, `tinted` says.
SKIES: dict[str, tuple[Colour, Colour]] = {
    "day": ((95, 175, 240), (190, 225, 250)),
    "sunset": ((235, 110, 70), (252, 205, 120)),
    "night": ((12, 16, 50), (40, 50, 105)),
}
SUN, EVENING_SUN, MOON = (255, 225, 60), (255, 240, 150), (245, 243, 225)
LAND: dict[str, Colour] = {"meadow": (120, 190, 80), "hills": (95, 170, 75), "mountains": (135, 135, 145)}
WATER, WALL, WINDOW, TRUNK = (60, 130, 215), (240, 222, 190), (250, 200, 70), (115, 75, 45)
LEAVES: dict[str, Colour] = {"round": (40, 125, 50), "pine": (20, 95, 60)}
ROOF_COLOURS: dict[str, Colour] = {"red": (200, 50, 45), "blue": (50, 80, 190), "orange": (235, 130, 40)}
CLOUD, SNOW, HULL = (250, 250, 252), (250, 250, 255), (125, 70, 40)
GRASS = (105, 180, 70)

_SCALE = 2
_SHADE = 7
_LIGHT_AT = {"left": 28.0, "right": 100.0}
_TINTS: dict[str, tuple[Colour, float]] = {"night": ((15, 20, 70), 0.42), "sunset": ((235, 110, 60), 0.18)}


def paint(scene: Scene) -> Image.Image:
    """The picture of a scene, SIDE × SIDE pixels; the same one each time."""
    canvas = _Canvas(Random(scene.seed))
    if isinstance(scene, Objects):
        _paint_objects(canvas, scene)
    else:
        _paint_landscape(canvas, scene)
    return canvas.image.reduce(_SCALE)


def paint_shape(shape: str, side: int) -> Image.Image:
    """A shape alone, white on black, filling a picture of `side` pixels as far as it can."""
    image = Image.new("L", (side * _SCALE, side * _SCALE))
    place = Place(side / 2, side / 2, side / 2 - 1)
    _draw_shape(ImageDraw.Draw(image), shape, place, 255, 0)
    return image.reduce(_SCALE)


class _Canvas:
    """A picture in the making; coordinates are those of the reduced picture."""

    def __init__(self, draw: Random) -> None:
        self.draw = draw
        self.image = Image.new("RGB", (SIDE * _SCALE, SIDE * _SCALE))
        self.pen = ImageDraw.Draw(self.image)

    def shade(self, colour: Colour) -> Colour:
        """A colour that differs a little from picture to picture."""
        red, green, blue = (min(255, max(0, part + self.draw.randint(-_SHADE, _SHADE))) for part in colour)
        return red, green, blue

    def polygon(self, points: Sequence[Point], colour: Colour) -> None:
        self.pen.polygon([(x * _SCALE, y * _SCALE) for x, y in points], fill=colour)

    def disc(self, x: float, y: float, radius: float, colour: Colour, *, flat: float = 1.0) -> None:
        self.pen.ellipse(_box(x, y, radius, radius * flat), fill=colour)

    def box(self, left: float, top: float, right: float, bottom: float, colour: Colour) -> None:
        self.polygon([(left, top), (right, top), (right, bottom), (left, bottom)], colour)


# --- objects


def _paint_objects(canvas: _Canvas, scene: Objects) -> None:
    background = canvas.shade(PALETTE[scene.background])
    canvas.box(0, 0, SIDE, SIDE, background)
    for group in scene.groups:
        _paint_group(canvas, group, background)


def _paint_group(canvas: _Canvas, group: Group, background: Colour) -> None:
    colour = canvas.shade(PALETTE[group.colour])
    for place in group.places:
        _draw_shape(canvas.pen, group.shape, place, colour, background)


def _draw_shape(
    pen: ImageDraw.ImageDraw, shape: str, place: Place, colour: Colour | int, behind: Colour | int
) -> None:
    """A shape within the circle of its place; `behind` is seen through the hole of a ring."""
    if shape in ("circle", "ring"):
        pen.ellipse(_box(place.x, place.y, place.radius, place.radius), fill=colour)
        if shape == "ring":
            pen.ellipse(_box(place.x, place.y, place.radius * 0.55, place.radius * 0.55), fill=behind)
        return
    pen.polygon(
        [
            ((place.x + x * place.radius) * _SCALE, (place.y + y * place.radius) * _SCALE)
            for x, y in _OUTLINES[shape]
        ],
        fill=colour,
    )


def _box(x: float, y: float, across: float, down: float) -> tuple[float, float, float, float]:
    return ((x - across) * _SCALE, (y - down) * _SCALE, (x + across) * _SCALE, (y + down) * _SCALE)


def _star() -> list[Point]:
    corners = []
    for number in range(10):
        reach, angle = (1.0, 0.45)[number % 2], math.pi * (number / 5 - 0.5)
        corners.append((reach * math.cos(angle), reach * math.sin(angle) + 0.05))
    return corners


def _heart() -> list[Point]:
    angles = [2 * math.pi * number / 60 for number in range(60)]
    across = [16 * math.sin(angle) ** 3 for angle in angles]
    up = [
        13 * math.cos(angle) - 5 * math.cos(2 * angle) - 2 * math.cos(3 * angle) - math.cos(4 * angle)
        for angle in angles
    ]
    return [(x / 17, -(y + 2.5) / 17) for x, y in zip(across, up, strict=True)]


# Within the circle of radius 1, y downwards.
_OUTLINES: dict[str, Sequence[Point]] = {
    "square": [(-0.84, -0.84), (0.84, -0.84), (0.84, 0.84), (-0.84, 0.84)],
    "triangle": [(0, -0.92), (0.96, 0.8), (-0.96, 0.8)],
    "diamond": [(0, -1), (0.8, 0), (0, 1), (-0.8, 0)],
    "cross": [
        (-0.33, -1), (0.33, -1), (0.33, -0.33), (1, -0.33), (1, 0.33), (0.33, 0.33),
        (0.33, 1), (-0.33, 1), (-0.33, 0.33), (-1, 0.33), (-1, -0.33), (-0.33, -0.33),
    ],
    "star": _star(),
    "heart": _heart(),
}  # fmt: skip


# --- landscapes


def _paint_landscape(canvas: _Canvas, scene: Landscape) -> None:
    horizon = 68 + canvas.draw.uniform(-5, 5)
    _paint_sky(canvas, scene, horizon)
    _paint_land(canvas, scene, horizon)
    shore = _paint_water(canvas, scene, horizon)
    _paint_houses_and_trees(canvas, scene, horizon, shore)


def _paint_sky(canvas: _Canvas, scene: Landscape, horizon: float) -> None:
    top, bottom = (canvas.shade(colour) for colour in SKIES[scene.sky])
    for line in range(SIDE):
        canvas.box(0, line, SIDE, line + 1, _mixed(top, bottom, min(1.0, line / horizon)))
    if scene.sky == "night":
        for _ in range(9):
            canvas.disc(canvas.draw.uniform(3, SIDE - 3), canvas.draw.uniform(3, 50), 1.2, MOON)
    if scene.light:
        x, y = _LIGHT_AT[scene.light] + canvas.draw.uniform(-5, 5), canvas.draw.uniform(20, 27)
        colour = {"day": SUN, "sunset": EVENING_SUN, "night": MOON}[scene.sky]
        canvas.disc(x, y, canvas.draw.uniform(11, 14), colour)
    if scene.clouds:
        # Where the sun is not, so that a cloud never hides it.
        middle = {"left": 94.0, "right": 34.0, None: 64.0}[scene.light]
        for across, radius in ((-13, 7), (0, 10), (13, 7)):
            canvas.disc(middle + across, 24, radius, CLOUD, flat=0.7)


def _paint_land(canvas: _Canvas, scene: Landscape, horizon: float) -> None:
    def shaded(colour: Colour) -> Colour:
        return tinted(canvas.shade(colour), scene.sky)

    if scene.land == "mountains":
        _paint_mountains(canvas, shaded(LAND["mountains"]), shaded(SNOW), horizon)
    if scene.land == "hills":
        for middle, colour in ((24, LAND["hills"]), (100, LAND["hills"]), (62, LAND["meadow"])):
            x, reach = middle + canvas.draw.uniform(-8, 8), canvas.draw.uniform(38, 50)
            canvas.disc(x, horizon + 12, reach, shaded(colour), flat=0.6)
    canvas.box(0, horizon, SIDE, SIDE, shaded(GRASS))


def _paint_mountains(canvas: _Canvas, rock: Colour, snow: Colour, horizon: float) -> None:
    for middle in (20, 62, 106):
        x, height = middle + canvas.draw.uniform(-8, 8), canvas.draw.uniform(26, 36)
        peak, half = horizon - height, height * 1.1
        canvas.polygon([(x, peak), (x + half, horizon + 1), (x - half, horizon + 1)], rock)
        canvas.polygon(
            [(x, peak), (x + half * 0.3, peak + height * 0.3), (x - half * 0.3, peak + height * 0.3)], snow
        )


def _paint_water(canvas: _Canvas, scene: Landscape, horizon: float) -> float:
    """Returns where the water begins, which is where houses and trees must stand above."""
    if not scene.water:
        return float(SIDE)
    colour = tinted(canvas.shade(WATER), scene.sky)
    shore = horizon + canvas.draw.uniform(27, 31)
    if scene.water == "sea":
        canvas.box(0, shore, SIDE, SIDE, colour)
    else:
        canvas.disc(SIDE / 2, shore + 16, 55, colour, flat=0.29)
    if scene.boat:
        _paint_boat(canvas, scene, canvas.draw.uniform(40, 88), shore + 19)
    return shore


def _paint_boat(canvas: _Canvas, scene: Landscape, x: float, water_line: float) -> None:
    hull = [(x - 13, water_line - 6), (x + 13, water_line - 6), (x + 8, water_line), (x - 8, water_line)]
    canvas.polygon(hull, tinted(HULL, scene.sky))
    sail = [(x, water_line - 28), (x, water_line - 8), (x + 12, water_line - 8)]
    canvas.polygon(sail, tinted(CLOUD, scene.sky))


def _paint_houses_and_trees(canvas: _Canvas, scene: Landscape, horizon: float, shore: float) -> None:
    """Side by side in a drawn order, each in its share of the width."""
    things = ["house"] * scene.houses + ["tree"] * scene.trees
    canvas.draw.shuffle(things)
    ground = min(horizon + 24, shore - 2)
    for number, thing in enumerate(things):
        x = SIDE * (number + 0.5) / len(things) + canvas.draw.uniform(-3, 3)
        size = min(20.0, 0.42 * SIDE / len(things))
        if thing == "house":
            _paint_house(canvas, scene, x, ground, size)
        else:
            _paint_tree(canvas, scene, x, ground, size)


def _paint_house(canvas: _Canvas, scene: Landscape, x: float, ground: float, size: float) -> None:
    half, eaves = size * 0.75, ground - size
    canvas.box(x - half, eaves, x + half, ground, tinted(canvas.shade(WALL), scene.sky))
    roof = [(x, eaves - size * 0.85), (x + half * 1.3, eaves), (x - half * 1.3, eaves)]
    canvas.polygon(roof, tinted(ROOF_COLOURS[scene.roof], scene.sky))
    canvas.box(x - half * 0.75, eaves + size * 0.25, x - half * 0.1, eaves + size * 0.65, _window(scene))
    canvas.box(x + half * 0.2, ground - size * 0.65, x + half * 0.75, ground, tinted(TRUNK, scene.sky))


def _window(scene: Landscape) -> Colour:
    """Lit at night."""
    return WINDOW if scene.sky == "night" else (150, 200, 235)


def _paint_tree(canvas: _Canvas, scene: Landscape, x: float, ground: float, size: float) -> None:
    leaves = tinted(canvas.shade(LEAVES[scene.tree]), scene.sky)
    canvas.box(x - size * 0.14, ground - size * 0.8, x + size * 0.14, ground, tinted(TRUNK, scene.sky))
    if scene.tree == "round":
        canvas.disc(x, ground - size * 1.25, size * 0.72, leaves)
        return
    for foot, half in ((0.45, 0.72), (1.0, 0.56)):
        bottom = ground - size * foot
        canvas.polygon(
            [(x, bottom - size * 1.1), (x + size * half, bottom), (x - size * half, bottom)], leaves
        )


def tinted(colour: Colour, sky: str) -> Colour:
    """What a landscape's colour is under this sky."""
    if sky == "day":
        return colour
    tint, share = _TINTS[sky]
    return _mixed(colour, tint, share)


def _mixed(one: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue
