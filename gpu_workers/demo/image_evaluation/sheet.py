"""The contact sheet: 24 pictures of unseen captions, none of them chosen, beside what was ordered."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random

from PIL import Image

from gpu_workers.demo.image_evaluation.painting import Order, loaded
from gpu_workers.demo.image_training.captions import full_caption
from gpu_workers.demo.image_training.scenes import SIDE, Scene, unseen_landscape, unseen_objects
from gpu_workers.demo.scores import Row, table

SHEET_SEED = 24
_COLUMNS, _GAP = 6, 4
# Written by hand, and unlike the grammar of the captions.
WRITTEN = (
    "three red circles on a blue background",
    "蓝色背景上的三个红色圆形",
    "a house by the lake at night with a moon",
    "夕阳下，湖边有一座红色屋顶的房子和两棵松树",
    "four little white hearts, pink background",
    "黑色的夜里，一颗黄色的五角星在右上角",
)


def sheet_captions() -> list[str]:
    """The 24 orders: some written by hand, the others drawn from what was held out."""
    scenes: list[Scene] = [unseen_objects(SHEET_SEED, number) for number in range(7)]
    scenes += [unseen_objects(SHEET_SEED, number, groups=2) for number in range(3)]
    scenes += [unseen_landscape(SHEET_SEED, number) for number in range(8)]
    drawn = [
        full_caption(scene, Random(number), ("en", "zh")[number % 2]) for number, scene in enumerate(scenes)
    ]
    return [*WRITTEN, *drawn]


def write_sheet(model: Path, docs: Path, rows: Sequence[Row]) -> None:
    """Write `images.png` and the page `images.md` into `docs`; the seed of picture n is n."""
    captions = sheet_captions()
    with loaded(model) as painter:
        pictures = painter.paint([Order(text, seed=number) for number, text in enumerate(captions)])
    docs.mkdir(parents=True, exist_ok=True)
    _tiled(pictures).save(docs / "images.png", optimize=True)
    (docs / "images.md").write_text(_page(captions, rows), encoding="utf-8")


def _tiled(pictures: Sequence[Image.Image]) -> Image.Image:
    lines = -(-len(pictures) // _COLUMNS)
    step = SIDE + _GAP
    sheet = Image.new("RGB", (_COLUMNS * step + _GAP, lines * step + _GAP), "white")
    for number, picture in enumerate(pictures):
        sheet.paste(picture, (_GAP + number % _COLUMNS * step, _GAP + number // _COLUMNS * step))
    return sheet


def _page(captions: Sequence[str], rows: Sequence[Row]) -> str:
    orders = "\n".join(f"{number}. {text}" for number, text in enumerate(captions, start=1))
    return f"""# What the demo image model paints

![24 pictures](images.png)

From left to right, line by line. The first {len(WRITTEN)} orders are written by hand, the others drawn from
combinations that the training never saw. Each picture is the first one made: seeds 0, 1, 2 and so on,
{SIDE} pixels, default settings.

{orders}

## Measured

{table(rows)}
"""
