"""What lies in a picture: its background, and the things on it with colour, shape and place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image

from gpu_workers.demo.image_training.drawing import PALETTE, Colour, paint_shape
from gpu_workers.demo.image_training.scenes import SHAPES

Mask = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.int32]

# Distances are Euclidean in RGB from 0 to 255.
_FOREGROUND, _SAME_COLOUR = 45, 65
_LEAST_PIXELS = 80
_TEMPLATE_SIDE = 40
_LEAST_LIKENESS = 0.78
# Of a thing's inner pixels, how many must have its colour.
_LEAST_PURITY = 0.8


@dataclass(frozen=True, slots=True)
class Thing:
    """A connected area that is not background. `colour` or `shape` is empty for what nobody would name."""

    colour: str
    shape: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Seen:
    """A picture as the judge sees it; `specks` counts pixels of neither background nor thing."""

    background: str
    things: tuple[Thing, ...]
    specks: int


def look(image: Image.Image) -> Seen:
    """Take the picture apart."""
    pixels = as_pixels(image)
    background = np.median(_border(pixels), axis=0)
    foreground = distance(pixels, background) > _FOREGROUND
    areas = list(connected(foreground))
    things = tuple(_thing(pixels, area) for area in areas if area.sum() >= _LEAST_PIXELS)
    specks = sum(int(area.sum()) for area in areas if area.sum() < _LEAST_PIXELS)
    return Seen(nearest_colour(background, PALETTE), things, specks)


def as_pixels(image: Image.Image) -> Pixels:
    """Height × width × 3."""
    return np.asarray(image.convert("RGB"), dtype=np.int32)


def distance(pixels: npt.NDArray[np.generic], colour: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """How far each pixel is from a colour."""
    return np.asarray(np.linalg.norm(pixels - np.asarray(colour, dtype=np.float64), axis=-1))


def nearest_colour(colour: npt.ArrayLike, palette: Mapping[str, Colour]) -> str:
    """The name of the colour in the palette; empty when none is near."""
    away, name = min((float(distance(np.asarray(colour), known)), name) for name, known in palette.items())
    return name if away <= _SAME_COLOUR else ""


def connected(mask: Mask) -> Iterator[Mask]:
    """The areas of the mask whose pixels touch at their sides."""
    left = mask.copy()
    while left.any():
        area = np.zeros_like(mask)
        edge = [tuple(int(index) for index in np.argwhere(left)[0])]
        left[edge[0]] = False
        while edge:
            row, column = edge.pop()
            area[row, column] = True
            for place in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
                if min(place) >= 0 and place[0] < mask.shape[0] and place[1] < mask.shape[1] and left[place]:
                    left[place] = False
                    edge.append(place)
        yield area


def _border(pixels: Pixels) -> Pixels:
    width = 3
    rows = np.concatenate([pixels[:width], pixels[-width:]]).reshape(-1, 3)
    columns = np.concatenate([pixels[:, :width], pixels[:, -width:]]).reshape(-1, 3)
    return np.concatenate([rows, columns])


def _thing(pixels: Pixels, area: Mask) -> Thing:
    rows, columns = np.nonzero(area)
    inner = _without_edge(area)
    return Thing(
        colour=_colour(pixels[inner if inner.any() else area]),
        shape=_shape(area[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]),
        x=float(columns.min() + columns.max() + 1) / 2,
        y=float(rows.min() + rows.max() + 1) / 2,
    )


def _without_edge(area: Mask) -> Mask:
    """Blurred edges have colours of their own."""
    padded = np.pad(area, 1)
    around = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return np.asarray(area & around)


def _colour(pixels: Pixels) -> str:
    middle = np.median(pixels, axis=0)
    pure = (distance(pixels, middle) <= _SAME_COLOUR).mean() >= _LEAST_PURITY
    return nearest_colour(middle, PALETTE) if pure else ""


def _shape(cut: Mask) -> str:
    shown = _fitted(cut)
    likeness = {name: _overlap(shown, template) for name, template in _templates().items()}
    best = max(likeness, key=lambda name: likeness[name])
    return best if likeness[best] >= _LEAST_LIKENESS else ""


@cache
def _templates() -> Mapping[str, Mask]:
    templates = {}
    for shape in SHAPES:
        mask = np.asarray(paint_shape(shape, 2 * _TEMPLATE_SIDE)) > 127
        rows, columns = np.nonzero(mask)
        templates[shape] = _fitted(mask[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1])
    return templates


def _fitted(mask: Mask) -> Mask:
    """In the middle of a square that its longer side fills."""
    height, width = mask.shape
    side = max(height, width)
    square = np.zeros((side, side), dtype=np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = mask * np.uint8(255)
    resized = Image.fromarray(square).resize((_TEMPLATE_SIDE, _TEMPLATE_SIDE), Image.Resampling.BILINEAR)
    return np.asarray(np.asarray(resized) > 127)


def _overlap(one: Mask, other: Mask) -> float:
    return float((one & other).sum() / (one | other).sum())
