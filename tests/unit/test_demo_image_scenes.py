"""The scenes of the demo image model: drawn the same each time, described truly, and judged rightly."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import islice
from random import Random
from typing import Any

import pytest
from PIL import Image

np = pytest.importorskip("numpy")
from gpu_workers.demo.image_evaluation.judge import judge_landscape, judge_objects  # noqa: E402
from gpu_workers.demo.image_training import chinese, english  # noqa: E402
from gpu_workers.demo.image_training.captions import caption, full_caption  # noqa: E402
from gpu_workers.demo.image_training.drawing import paint  # noqa: E402
from gpu_workers.demo.image_training.scenes import (  # noqa: E402
    COLOURS,
    SHAPES,
    SIDE,
    Landscape,
    Objects,
    Scene,
    is_held_out,
    training_scene,
    unseen_landscape,
    unseen_objects,
)

MANY = 250


def scenes() -> Iterator[Scene]:
    number = 0
    while True:
        yield training_scene(1, number)
        number += 1


def objects(count: int) -> list[Objects]:
    return list(islice((scene for scene in scenes() if isinstance(scene, Objects)), count))


def landscapes(count: int) -> list[Landscape]:
    return list(islice((scene for scene in scenes() if isinstance(scene, Landscape)), count))


def combinations(scene: Objects) -> set[tuple[str, str, int]]:
    return {(group.colour, group.shape, group.count) for group in scene.groups}


def one_red_circle() -> Objects:
    scene = next(
        scene for scene in objects(MANY) if scene.arrangement == "row" and scene.groups[0].count == 3
    )
    return replace(
        scene, background="white", groups=(replace(scene.groups[0], shape="circle", colour="red"),)
    )


# --- scenes and pictures


def test_a_scene_and_its_picture_are_the_same_each_time() -> None:
    for number in range(20):
        assert training_scene(1, number) == training_scene(1, number)
        assert paint(training_scene(1, number)).tobytes() == paint(training_scene(1, number)).tobytes()


def test_another_seed_gives_other_scenes() -> None:
    assert [training_scene(1, number) for number in range(9)] != [
        training_scene(2, number) for number in range(9)
    ]


def test_a_picture_has_the_size_that_the_pipeline_makes() -> None:
    assert paint(training_scene(1, 0)).size == (SIDE, SIDE)


def test_nothing_held_out_is_trained() -> None:
    trained = set[tuple[str, str, int]]().union(*(combinations(scene) for scene in objects(MANY * 4)))
    unseen = [unseen_objects(7, number) for number in range(MANY)]
    assert not any(is_held_out(scene) for scene in islice(scenes(), MANY))
    assert all(is_held_out(scene) for scene in unseen)
    assert not trained & set[tuple[str, str, int]]().union(*(combinations(scene) for scene in unseen))


def test_unseen_landscapes_and_pairs_are_held_out() -> None:
    assert all(is_held_out(unseen_landscape(7, number)) for number in range(50))
    pairs = [unseen_objects(7, number, groups=2) for number in range(50)]
    assert all(is_held_out(pair) and len(pair.groups) == 2 for pair in pairs)


def test_every_colour_shape_and_count_is_trained_in_some_combination() -> None:
    trained = set[tuple[str, str, int]]().union(*(combinations(scene) for scene in objects(MANY * 4)))
    colours, shapes, counts = (set(part) for part in zip(*trained, strict=True))
    assert (colours, shapes, counts) == (set(COLOURS), set(SHAPES), {1, 2, 3, 4})


def test_no_thing_has_the_colour_of_the_background_or_leaves_the_picture() -> None:
    for scene in objects(MANY):
        for group in scene.groups:
            assert group.colour != scene.background
            for place in group.places:
                assert place.radius <= place.x <= SIDE - place.radius
                assert place.radius <= place.y <= SIDE - place.radius


# --- captions


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_caption_names_each_groups_count_colour_and_shape(language: str) -> None:
    words: Any = {"en": english, "zh": chinese}[language]
    for number, scene in enumerate(objects(MANY)):
        text = full_caption(scene, Random(number), language)
        for group in scene.groups:
            colours = words.COLOURS.get(group.colour, (group.colour,))
            counts = words.NUMBERS.get(group.count, ("a ", "an ", "one ", "1 "))
            for choices in (words.SHAPES[group.shape], colours, counts):
                assert any(word in text for word in choices), (text, choices)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_caption_names_no_colour_that_is_not_there(language: str) -> None:
    for number, scene in enumerate(objects(MANY)):
        text = full_caption(scene, Random(number), language).replace("粉红", "粉")
        there = {group.colour for group in scene.groups} | {scene.background}
        for colour in set(COLOURS) - there:
            names = (rf"\b{colour}\b",) if language == "en" else (chinese.COLOURS[colour][-1][0],)
            assert not any(re.search(name, text) for name in names), (text, colour)


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (r"\bsun\b|moon|太阳|月", "light"),
        (r"lake|\bsea\b|湖|海", "water"),
        (r"house|roof|房|屋", "houses"),
        (r"tree|pine|树", "trees"),
        (r"cloud|云", "clouds"),
        (r"boat|船", "boat"),
    ],
)
def test_a_landscapes_caption_names_only_what_is_there(words: str, part: str) -> None:
    named = 0
    for number, scene in enumerate(landscapes(MANY)):
        for language in ("en", "zh"):
            if re.search(words, full_caption(scene, Random(number), language)):
                named += 1
                assert getattr(scene, part)
    assert named > MANY / 4


def test_a_landscapes_caption_says_the_right_time() -> None:
    for number, scene in enumerate(landscapes(MANY)):
        text = full_caption(scene, Random(number), "en")
        assert ("night" in text or "stars" in text) == (scene.sky == "night"), text
        assert bool(re.search("sunset|evening|dusk", text)) == (scene.sky == "sunset"), text


def test_captions_of_one_scene_differ_and_follow_their_draw() -> None:
    scene = training_scene(1, 3)
    assert len({caption(scene, Random(number)) for number in range(30)}) > 20
    assert caption(scene, Random(5)) == caption(scene, Random(5))


# --- the judge


def test_the_judge_agrees_with_what_was_drawn() -> None:
    verdicts: list[Any] = [judge_objects(paint(scene), scene) for scene in objects(MANY)]
    verdicts += [judge_landscape(paint(scene), scene) for scene in landscapes(MANY // 2)]
    assert np.mean([all(asdict(verdict).values()) for verdict in verdicts]) >= 0.99


@pytest.mark.parametrize(
    "change", [{"colour": "green"}, {"colour": "orange"}, {"shape": "square"}, {"shape": "ring"}]
)
def test_the_judge_rejects_another_colour_or_shape(change: dict[str, Any]) -> None:
    ordered = one_red_circle()
    painted = replace(ordered, groups=(replace(ordered.groups[0], **change),))
    verdict = judge_objects(paint(painted), ordered)
    assert judge_objects(paint(ordered), ordered).right
    assert not verdict.right
    assert verdict.count
    assert (verdict.colour, verdict.shape) == ("colour" not in change, "shape" not in change)


def test_the_judge_tells_every_shape_from_every_other() -> None:
    ordered = one_red_circle()
    for shown in SHAPES:
        picture = paint(replace(ordered, groups=(replace(ordered.groups[0], shape=shown),)))
        for wanted in SHAPES:
            scene = replace(ordered, groups=(replace(ordered.groups[0], shape=wanted),))
            assert judge_objects(picture, scene).right == (shown == wanted)


def test_the_judge_rejects_another_count() -> None:
    ordered = one_red_circle()
    fewer = replace(ordered, groups=(replace(ordered.groups[0], places=ordered.groups[0].places[:2]),))
    assert not judge_objects(paint(fewer), ordered).right
    assert not judge_objects(paint(ordered), fewer).count


def test_the_judge_rejects_another_background_and_another_place() -> None:
    ordered = one_red_circle()
    assert not judge_objects(paint(replace(ordered, background="yellow")), ordered).background
    turned = paint(ordered).transpose(Image.Transpose.ROTATE_90)
    assert judge_objects(turned, ordered).right
    assert not judge_objects(turned, ordered).arrangement


def test_the_judge_rejects_colours_on_the_wrong_shapes() -> None:
    ordered = next(
        scene for scene in objects(MANY) if len(scene.groups) == 2 and scene.arrangement == "beside"
    )
    first, second = ordered.groups
    swapped = replace(
        ordered, groups=(replace(first, colour=second.colour), replace(second, colour=first.colour))
    )
    if (first.colour, first.shape) != (second.colour, second.shape):
        assert judge_objects(paint(ordered), ordered).right
    assert judge_objects(paint(swapped), ordered).right == (first.shape == second.shape)


def test_the_judge_rejects_noise_and_emptiness() -> None:
    ordered = one_red_circle()
    draw = np.random.default_rng(1)
    noise = draw.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    speckled = np.where(draw.random((SIDE, SIDE, 1)) < 0.03, np.uint8(0), np.asarray(paint(ordered)))
    for picture in (noise, speckled, np.full_like(noise, 255)):
        assert not judge_objects(Image.fromarray(picture), ordered).right


def test_the_judge_rejects_a_thing_of_two_colours() -> None:
    ordered = one_red_circle()
    blue = paint(replace(ordered, groups=(replace(ordered.groups[0], colour="blue"),)))
    place = ordered.groups[0].places[0]
    half = paint(ordered)
    half.paste(blue.crop((0, 0, round(place.x), SIDE)), (0, 0))
    assert not judge_objects(half, ordered).right


def test_the_judge_misses_what_a_landscape_lacks() -> None:
    scene = next(
        s for s in landscapes(MANY) if s.houses and s.trees and s.water and s.light and s.sky == "day"
    )
    picture = paint(replace(scene, houses=0, trees=0, water="", boat=False, light=None))
    verdict = judge_landscape(picture, scene)
    assert asdict(verdict) == {"sky": True, "light": False, "water": False, "houses": False, "trees": False}
    assert not judge_landscape(paint(replace(scene, sky="night")), scene).sky
