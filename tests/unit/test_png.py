"""PNG files say how they were made, to people and to programs."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

import pytest
from PIL import Image, PngImagePlugin

from gpu_workers.engines.png import parameters_text, read_parameters, write_png

VALUES = {
    "model": "sdxl",
    "mode": "image-to-image",
    "prompt": "雪山下的湖，水墨画\nsecond line, with: marks",
    "negative_prompt": "模糊",
    "width": 64,
    "height": 32,
    "steps": 20,
    "guidance": 6.0,
    "scheduler": "euler_a",
    "strength": 0.55,
    "seed": 2**40,
}


def picture() -> Image.Image:
    return Image.linear_gradient("L").resize((64, 32)).convert("RGB")


def test_what_is_written_comes_back_with_every_character() -> None:
    read = read_parameters(write_png(picture(), VALUES))

    assert read.values == VALUES
    assert read.text == parameters_text(VALUES)


def test_pixels_are_kept_exactly() -> None:
    with Image.open(BytesIO(write_png(picture(), VALUES))) as image:
        assert image.tobytes() == picture().tobytes()


def test_text_form_is_the_one_that_image_tools_read() -> None:
    assert parameters_text(VALUES) == (
        "雪山下的湖，水墨画\nsecond line, with: marks\nNegative prompt: 模糊\n"
        "Steps: 20, Sampler: euler_a, CFG scale: 6, Seed: 1099511627776, Size: 64x32, Model: sdxl, "
        "Denoising strength: 0.55, Mode: image-to-image"
    )


def test_a_value_with_commas_is_quoted_so_that_the_line_stays_readable() -> None:
    assert 'Model: "mine, v2: final"' in parameters_text({"prompt": "x", "model": "mine, v2: final"})


def test_plain_text_is_a_chunk_that_every_reader_knows() -> None:
    data = write_png(picture(), {"prompt": "a cat"})

    assert b"tEXtparameters\0a cat" in data
    assert b"iTXtaigc\0" in data


def test_file_of_another_tool_gives_its_text_and_no_values() -> None:
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("parameters", "a dog\nSteps: 3")
    chunks.add_text("aigc", "not json {")
    file = BytesIO()
    picture().save(file, "PNG", pnginfo=chunks)

    read = read_parameters(file.getvalue())

    assert (read.text, read.values) == ("a dog\nSteps: 3", {})


def png_with_size(width: int, height: int) -> bytes:
    """A few bytes that claim to be a picture of any size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000)))


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n", png_with_size(60_000, 60_000)])
def test_bytes_that_are_no_png_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="not a readable PNG"):
        read_parameters(data)
