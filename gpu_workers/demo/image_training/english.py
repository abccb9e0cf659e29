"""English captions."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from gpu_workers.demo.image_training.scenes import Group, Landscape, Objects, third

SHAPES = {
    "circle": ("circle", "circle", "disc"),
    "square": ("square",),
    "triangle": ("triangle",),
    "star": ("star",),
    "diamond": ("diamond", "rhombus"),
    "ring": ("ring",),
    "heart": ("heart",),
    "cross": ("cross", "plus sign"),
}
COLOURS = {"purple": ("purple", "purple", "violet"), "grey": ("grey", "gray")}
NUMBERS = {2: ("two", "2"), 3: ("three", "3"), 4: ("four", "4")}
SIZES = {"small": ("small", "little"), "large": ("big", "large")}
PLACES = {
    (0, 0): ("in the top left corner", "at the top left", "in the upper left"),
    (1, 0): ("at the top", "in the upper part"),
    (2, 0): ("in the top right corner", "at the top right", "in the upper right"),
    (0, 1): ("on the left", "on the left side"),
    (1, 1): ("in the middle", "in the center", "in the centre"),
    (2, 1): ("on the right", "on the right side"),
    (0, 2): ("in the bottom left corner", "at the bottom left", "in the lower left"),
    (1, 2): ("at the bottom", "in the lower part"),
    (2, 2): ("in the bottom right corner", "at the bottom right", "in the lower right"),
}
ARRANGEMENTS = {
    "row": ("in a row", "side by side", "in a horizontal line"),
    "column": ("in a column", "one above the other", "in a vertical line"),
    "grid": ("in a grid", "in two rows", "in a square arrangement"),
    "scattered": ("scattered", "in different places"),
}
PAIRS = {
    "beside": (
        "{0} to the left of {1}",
        "{0} left of {1}",
        "{1} to the right of {0}",
        "{0} on the left and {1} on the right",
        "{0} next to {1}",
        "{0} and {1} side by side",
        "{0} and {1}",
    ),
    "above": (
        "{0} above {1}",
        "{0} over {1}",
        "{1} below {0}",
        "{1} under {0}",
        "{0} at the top and {1} at the bottom",
        "{0} and {1}",
    ),
}
ON_BACKGROUND = (
    "{0} on a {1} background",
    "{0} on a {1} background",
    "{0} on {1}",
    "{0}, {1} background",
    "{0} in front of a {1} background",
    "{1} background with {0}",
    "on a {1} background, {0}",
)
OPENINGS = ("", "", "", "", "a picture of ", "draw ", "paint ", "an image of ", "please draw ", "show me ")
CLOSINGS = ("", "", "", "", "", ".", ", simple", ", flat colors", ", high quality")

SKIES = {
    "day": ("by day", "during the day", "on a bright day", "in daylight"),
    "sunset": ("at sunset", "in the evening", "at dusk", "in the evening light"),
    "night": ("at night", "in the night", "under a night sky", "under the stars"),
}
LANDS = {
    "meadow": ("a meadow", "a green field", "flat land"),
    "hills": ("hills", "green hills", "rolling hills"),
    "mountains": ("mountains", "snowy mountains", "high mountains"),
}
BY_WATER = {
    "lake": ("by the lake", "by a lake", "at a lake", "with a lake", "and a lake"),
    "sea": ("by the sea", "at the sea", "near the sea", "with the sea", "and the sea"),
}
BOATS = ("a boat", "a sailing boat", "a small boat")
ROOFS = ("with a {0} roof", "with {0} roof")
TREES = {"round": ("tree", "round tree"), "pine": ("pine tree", "pine", "tree")}
LIGHTS = {False: ("the sun", "a sun", "sun"), True: ("the moon", "a moon", "a full moon", "moon")}
CLOUDS = ("clouds", "white clouds", "a cloud")
NOTHING_BUT = ("a landscape", "a view", "a scene")


def describe_objects(scene: Objects, draw: Random) -> str:
    """A caption of objects."""
    text = _things(scene, draw)
    if scene.background != "white" or draw.random() < 0.5:
        text = draw.choice(ON_BACKGROUND).format(text, _colour(scene.background, draw))
    return _finished(text, draw)


def describe_landscape(scene: Landscape, draw: Random) -> str:
    """A caption of a landscape; some of what is there goes without saying."""
    text = _joined(draw, _parts(scene, draw)) or draw.choice(NOTHING_BUT)
    if scene.water and draw.random() < 0.9:
        text = f"{text} {draw.choice(BY_WATER[scene.water])}"
    if scene.sky != "day" or draw.random() < 0.6:
        time = draw.choice(SKIES[scene.sky])
        text = f"{text} {time}" if draw.random() < 0.7 else f"{time}, {text}"
    if extras := _extras(scene, draw):
        text = f"{text}{draw.choice((' with ', ', ', ' and '))}{_joined(draw, extras)}"
    return _finished(text, draw)


def keywords(scene: Objects | Landscape) -> Sequence[str]:
    """Single things that the scene shows: what people write as a negative prompt, too."""
    if isinstance(scene, Objects):
        group = scene.groups[0]
        return (group.shape, group.colour, f"{group.colour} {group.shape}", f"{scene.background} background")
    found = [scene.sky, scene.land, scene.water, "house" * bool(scene.houses), "tree" * bool(scene.trees)]
    found += [("moon" if scene.sky == "night" else "sun") * bool(scene.light), "clouds" * scene.clouds]
    return [word for word in (*found, "boat" * scene.boat, "landscape") if word]


def _things(scene: Objects, draw: Random) -> str:
    if len(scene.groups) == 2:
        return draw.choice(PAIRS[scene.arrangement]).format(*(_group(group, draw) for group in scene.groups))
    group = scene.groups[0]
    text = _group(group, draw, scene.size)
    if draw.random() < 0.4:
        return text
    if scene.arrangement != "alone":
        return f"{text} {draw.choice(ARRANGEMENTS[scene.arrangement])}"
    place = group.places[0]
    return f"{text} {draw.choice(PLACES[third(place.x), third(place.y)])}"


def _group(group: Group, draw: Random, size: str = "usual") -> str:
    shape = draw.choice(SHAPES[group.shape])
    words = [_colour(group.colour, draw), shape if group.count == 1 else _plural(shape)]
    if size in SIZES and draw.random() < 0.85:
        words.insert(0, draw.choice(SIZES[size]))
    if group.count > 1:
        return " ".join([draw.choice(NUMBERS[group.count]), *words])
    article = "an" if words[0][0] in "aeiou" else "a"
    return " ".join([draw.choice((article, article, article, "one", "1")), *words])


def _parts(scene: Landscape, draw: Random) -> list[str]:
    parts = []
    if scene.houses:
        roof = f" {draw.choice(ROOFS).format(scene.roof)}" if draw.random() < 0.5 else ""
        parts.append(_counted(draw, scene.houses, "house") + roof)
    if scene.trees:
        parts.append(_counted(draw, scene.trees, draw.choice(TREES[scene.tree])))
    if draw.random() < (0.3 if scene.land == "meadow" else 0.9):
        parts.append(draw.choice(LANDS[scene.land]))
    draw.shuffle(parts)
    return parts


def _extras(scene: Landscape, draw: Random) -> list[str]:
    extras = []
    if scene.light and draw.random() < 0.9:
        side = f" on the {scene.light}" if draw.random() < 0.4 else ""
        extras.append(draw.choice(LIGHTS[scene.sky == "night"]) + side)
    if scene.clouds and draw.random() < 0.9:
        extras.append(draw.choice(CLOUDS))
    if scene.boat and draw.random() < 0.9:
        extras.append(draw.choice(BOATS))
    return extras


def _counted(draw: Random, count: int, word: str) -> str:
    return f"a {word}" if count == 1 else f"{draw.choice(NUMBERS[count])} {_plural(word)}"


def _joined(draw: Random, parts: Sequence[str]) -> str:
    last = draw.choice((" and ", " and ", ", ", " with "))
    return last.join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


def _finished(text: str, draw: Random) -> str:
    return (draw.choice(OPENINGS) + text + draw.choice(CLOSINGS)).replace(" a orange", " an orange")


def _colour(colour: str, draw: Random) -> str:
    return draw.choice(COLOURS.get(colour, (colour,)))


def _plural(word: str) -> str:
    return f"{word}es" if word.endswith("ss") else word.replace("rhombus", "rhombuse") + "s"
