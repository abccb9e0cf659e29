"""An image request becomes numbers that are known to be possible, or a sentence that says what is wrong."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from gpu_workers.contract.messages import ChatParams, ImageParams, ModelSpec, Turn
from gpu_workers.engines.base import EngineError, Request
from gpu_workers.engines.input_pictures import open_mask, open_rgb
from gpu_workers.engines.sdxl_plan import Mode, Plan, Settings, load_pictures, make_plan

SETTINGS = Settings(default_steps=20)
SCHEDULERS = ("model", "euler", "ddim")


def encoded(image: Image.Image, format_: str = "PNG", **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, format_, **options)
    return file.getvalue()


def picture(width: int, height: int, mode: str = "RGB") -> bytes:
    return encoded(Image.new(mode, (width, height)))


def bomb(width: int, height: int) -> bytes:
    """A few bytes that claim to be a picture of any size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000)))


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def plan(attachments: dict[str, bytes] | None = None, settings: Settings = SETTINGS, **params: Any) -> Plan:
    request = Request(ImageParams(**{"prompt": "a cat", **params}), attachments=attachments or {})
    return make_plan(request, settings, default_size=(1024, 1024), schedulers=SCHEDULERS)


def spec(**options: Any) -> ModelSpec:
    return ModelSpec(id="tiny", medium="image", engine="sdxl", options=options)


def test_defaults_fill_what_was_not_asked_for() -> None:
    made = plan()

    assert (made.mode, made.width, made.height, made.steps) == (Mode.TEXT, 1024, 1024, 20)
    assert (made.guidance, made.scheduler, made.strength, made.seed) == (6.0, "model", None, None)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"width": 100}, "width is 100; it must be a multiple of 8, like 96 or 104"),
        ({"width": 0}, "width is 0; it must be from 64 to 2048"),
        ({"height": 4096}, "height is 4096; it must be from 64 to 2048"),
        ({"steps": 0}, "steps is 0; it must be from 1 to 150"),
        ({"steps": 1000}, "steps is 1000"),
        ({"guidance": -1.0}, "guidance is -1.0"),
        ({"guidance": float("nan")}, "guidance is nan"),
        ({"count": 0}, "count is 0; it must be from 1 to 8"),
        ({"count": 9}, "count is 9"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**64}, "seed is"),
        ({"scheduler": "magic"}, "scheduler is 'magic'; choose one of model, euler, ddim"),
        ({"prompt": "x" * 10_001}, "prompt has 10,001 characters"),
        ({"negative_prompt": "half \ud83d"}, "negative_prompt holds half a character"),
    ],
)
def test_a_bad_value_is_named_with_its_limit(params: dict[str, Any], said: str) -> None:
    with pytest.raises(EngineError, match=said) as error:
        plan(**params)

    assert error.value.code == "bad_params"
    assert not error.value.retryable


def test_a_chat_request_is_refused() -> None:
    request = Request(ChatParams(messages=(Turn("user", "hi"),)))

    with pytest.raises(EngineError, match="makes images"):
        make_plan(request, SETTINGS, default_size=(64, 64), schedulers=SCHEDULERS)


def test_a_mask_without_an_image_is_refused() -> None:
    with pytest.raises(EngineError, match="mask came without an image"):
        plan({"mask": picture(64, 64)})


def test_a_mask_of_another_shape_is_refused_and_of_another_size_is_not() -> None:
    image = picture(256, 128)

    assert plan({"image": image, "mask": picture(512, 256)}).mode is Mode.INPAINT
    with pytest.raises(EngineError, match="The mask is 256×256 and the image 256×128"):
        plan({"image": image, "mask": picture(256, 256)})


@pytest.mark.parametrize(
    ("shape", "asked", "size"),
    [
        ((512, 256), {}, (512, 256)),
        ((515, 250), {}, (512, 248)),  # rounded to multiples of 8
        ((4000, 3000), {}, (1184, 888)),  # as many pixels as the model usually makes
        ((20, 40), {}, (64, 128)),  # not below the smallest side
        ((400, 200), {"width": 800}, (800, 400)),
        ((400, 200), {"height": 400}, (800, 400)),
        ((400, 200), {"width": 256, "height": 256}, (256, 256)),
    ],
)
def test_size_follows_the_attached_image(
    shape: tuple[int, int], asked: dict[str, Any], size: tuple[int, int]
) -> None:
    made = plan({"image": picture(*shape)}, **asked)

    assert (made.width, made.height) == size


def test_strength_that_leaves_no_step_says_which_would_do() -> None:
    with pytest.raises(EngineError, match=r"strength 0\.04 of 20 steps leaves no step.*at least 0\.05"):
        plan({"image": picture(64, 64)}, strength=0.04)

    assert plan({"image": picture(64, 64)}, strength=0.05).strength == 0.05


def test_only_what_the_pipeline_takes_once_is_in_the_key() -> None:
    base = plan(prompt="a", seed=1)

    assert base.key == plan(prompt="b", negative_prompt="c", seed=2, count=3).key
    different = [plan(steps=5), plan(width=512), plan(guidance=3.0), plan(scheduler="ddim")]
    assert base.key not in {other.key for other in different}
    image = {"image": picture(1024, 1024)}
    assert plan(image, strength=0.5).key != plan(image, strength=0.7).key


# --- attached pictures


@pytest.mark.parametrize("data", [b"", b"hello", b"<svg/>", picture(64, 64)[:20]])
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(EngineError, match="The attached image is not a picture") as error:
        plan({"image": data})

    assert error.value.code == "bad_image"


def test_a_picture_cut_off_in_the_middle_is_refused_when_it_is_read() -> None:
    noise = encoded(Image.effect_noise((128, 128), 90))
    attachments = {"image": noise[: len(noise) // 2]}

    with pytest.raises(EngineError, match="not a picture that can be read"):
        load_pictures(attachments, plan(attachments), SETTINGS)


@pytest.mark.parametrize("side", [6_000, 12_000, 60_000])
def test_a_picture_of_too_many_pixels_is_refused_from_its_header(side: int) -> None:
    with pytest.raises(EngineError, match=r"32,000,000") as error:
        plan({"image": bomb(side, side)})

    assert error.value.code == "image_too_large"


def test_a_picture_taken_sideways_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    attachments = {"image": encoded(Image.new("RGB", (128, 64)), "JPEG", exif=exif)}
    made = plan(attachments)

    assert (made.width, made.height) == (64, 128)
    loaded = load_pictures(attachments, made, SETTINGS).image
    assert loaded is not None
    assert loaded.size == (64, 128)


def test_transparent_parts_become_white_in_an_image_and_black_in_a_mask() -> None:
    clear = encoded(Image.new("RGBA", (8, 8), (255, 0, 0, 0)))

    assert open_rgb(clear, "image", 64).getpixel((0, 0)) == (255, 255, 255)
    assert open_mask(clear, 64).getpixel((0, 0)) == 0


def test_pictures_come_in_the_size_of_the_plan() -> None:
    attachments = {"image": picture(300, 200), "mask": picture(600, 400, "L")}
    made = plan(attachments, width=128, height=128)
    loaded = load_pictures(attachments, made, SETTINGS)

    assert loaded.image is not None
    assert loaded.mask is not None
    assert (loaded.image.size, loaded.image.mode) == ((128, 128), "RGB")
    assert (loaded.mask.size, loaded.mask.mode) == ((128, 128), "L")


# --- options


def test_options_are_read_and_those_of_others_left_alone() -> None:
    read = Settings.from_spec(spec(default_steps=7, default_guidance=3, offload="model", size_gb=6.9))

    assert read == replace(Settings(), default_steps=7, default_guidance=3, offload="model")


@pytest.mark.parametrize(
    "options",
    [{"default_steps": "20"}, {"max_side": 0}, {"max_batch": True}, {"offload": "disk"}, {"vae_tiling": 1}],
)
def test_a_wrong_option_is_named(options: dict[str, Any]) -> None:
    name = next(iter(options))

    with pytest.raises(EngineError, match=f"Model tiny has option {name} = ") as error:
        Settings.from_spec(spec(**options))

    assert error.value.code == "bad_options"
