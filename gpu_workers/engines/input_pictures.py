"""Pictures that people send: opened with limits, turned upright, cut to the size that is generated."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

from PIL import Image, ImageOps

from gpu_workers.engines.base import EngineError

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")
_EXIF_ORIENTATION = 0x0112
# What Pillow's decoders raise on broken files.
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError, struct.error, zlib.error)
_TOO_LARGE = (Image.DecompressionBombError, Image.DecompressionBombWarning)


def picture_size(data: bytes, name: str, max_pixels: int) -> tuple[int, int]:
    """Width and height of the upright picture, from its header only.

    `name` is what the sender calls it (`image`, `mask`). Raises EngineError `bad_image` or `image_too_large`.
    """
    with _opened(data, name, max_pixels) as picture:
        on_its_side = _orientation(picture, name) in (5, 6, 7, 8)
        return (picture.height, picture.width) if on_its_side else (picture.width, picture.height)


def is_turned(data: bytes, name: str, max_pixels: int) -> bool:
    """Whether the stored picture is not upright. Raises EngineError `bad_image` or `image_too_large`."""
    with _opened(data, name, max_pixels) as picture:
        return _orientation(picture, name) != 1


def open_rgb(data: bytes, name: str, max_pixels: int) -> Image.Image:
    """The upright picture in RGB; what is transparent becomes white."""
    picture = _upright(data, name, max_pixels)
    return _on(picture, "white").convert("RGB") if picture.has_transparency_data else picture.convert("RGB")


def open_mask(data: bytes, max_pixels: int) -> Image.Image:
    """The upright mask in grey (white = repaint); what is transparent becomes black."""
    mask = _upright(data, "mask", max_pixels)
    return _on(mask, "black").convert("L") if mask.has_transparency_data else mask.convert("L")


def fit(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The largest middle part of the aspect ratio of `size`, resized to it."""
    if picture.size == size:
        return picture
    # A mask must not ring around its edges, so grey pictures get the soft filter.
    method = Image.Resampling.BILINEAR if picture.mode == "L" else Image.Resampling.LANCZOS
    return ImageOps.fit(picture, size, method)


def _upright(data: bytes, name: str, max_pixels: int) -> Image.Image:
    with _opened(data, name, max_pixels) as picture:
        try:
            picture.load()
            return ImageOps.exif_transpose(picture)
        except _BROKEN as error:
            raise _broken(name) from error


def _orientation(picture: Image.Image, name: str) -> int:
    try:
        return int(picture.getexif().get(_EXIF_ORIENTATION, 1))
    except _BROKEN as error:
        raise _broken(name) from error


def _opened(data: bytes, name: str, max_pixels: int) -> Image.Image:
    try:
        picture = Image.open(BytesIO(data), formats=FORMATS)
    except _TOO_LARGE as error:
        raise EngineError(
            "image_too_large", f"The attached {name} has too many pixels; at most {max_pixels:,} can be used."
        ) from error
    except _BROKEN as error:
        raise _broken(name) from error
    if picture.width * picture.height > max_pixels:
        width, height = picture.size
        picture.close()
        raise EngineError(
            "image_too_large",
            f"The attached {name} is {width}×{height}, {width * height:,} pixels; "
            f"send one of at most {max_pixels:,}.",
        )
    return picture


def _on(picture: Image.Image, colour: str) -> Image.Image:
    over = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", over.size, colour), over)


def _broken(name: str) -> EngineError:
    return EngineError(
        "bad_image",
        f"The attached {name} is not a picture that can be read; send PNG, JPEG, WebP, BMP or GIF.",
    )
