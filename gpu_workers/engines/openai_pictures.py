"""Pictures as OpenAI-style servers take them: data URLs, upright and no larger than they would look at."""

from __future__ import annotations

import base64
from io import BytesIO

from PIL import Image

from gpu_workers.engines.input_pictures import is_turned, open_rgb, picture_size

# OpenAI's servers scale to this side themselves; more only makes the request longer.
MAX_SIDE = 2048
# As large as an upload may be.
MAX_PIXELS = 4096 * 4096
_JPEG_QUALITY = 90


def data_url(data: bytes, name: str) -> str:
    """The picture; a large or turned one as a new JPEG. Raises EngineError `bad_image` or `image_too_large`."""
    media_type = "image/jpeg"
    if max(picture_size(data, name, MAX_PIXELS)) > MAX_SIDE or is_turned(data, name, MAX_PIXELS):
        data = _smaller(open_rgb(data, name, MAX_PIXELS))
    else:
        with Image.open(BytesIO(data)) as picture:
            media_type = picture.get_format_mimetype() or media_type
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def _smaller(picture: Image.Image) -> bytes:
    picture.thumbnail((MAX_SIDE, MAX_SIDE))
    file = BytesIO()
    picture.save(file, "JPEG", quality=_JPEG_QUALITY)
    return file.getvalue()
