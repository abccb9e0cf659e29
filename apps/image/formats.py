"""Pictures as files: what a file says about how it was made, and the same picture in other formats."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, BinaryIO, NamedTuple
from xml.sax.saxutils import escape

from PIL import Image

# The chunks of a PNG in which gpu workers write how it was made: as text for people and as JSON.
TEXT_KEY = "parameters"
JSON_KEY = "aigc"

# EXIF: who wrote the file, and where the image tools of this world look for the text.
_SOFTWARE, _EXIF_IFD, _USER_COMMENT = 0x0131, 0x8769, 0x9286
_NOT_IN_XML = re.compile(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:aigc="urn:aigc-studio:picture">
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{text}</rdf:li></rdf:Alt></dc:description>
<aigc:parameters>{values}</aigc:parameters>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="r"?>"""


class Format(StrEnum):
    """In what a picture can be had."""

    PNG = "png"
    JPEG = "jpeg"
    WEBP = "webp"

    @property
    def media_type(self) -> str:
        """As HTTP names it."""
        return f"image/{self.value}"


class Described(NamedTuple):
    """What a picture's file says of itself; `text` and `parameters` are empty when nobody described it."""

    width: int
    height: int
    text: str
    parameters: Mapping[str, Any]


def describe(file: BinaryIO) -> Described:
    """Read a file's head; no pixel is decoded. Raises OSError for what is no picture."""
    with Image.open(file) as image:
        text, values = str(image.info.get(TEXT_KEY, "")), str(image.info.get(JSON_KEY, ""))
        return Described(image.width, image.height, text, _parsed(values))


def convert(file: BinaryIO, wanted: Format) -> bytes:
    """The picture as JPEG or WebP, which say in EXIF and XMP what the PNG says in its chunks."""
    said = describe(file)
    exif, out = Image.Exif(), io.BytesIO()
    exif[_SOFTWARE] = "AIGC Studio"
    exif.get_ifd(_EXIF_IFD)[_USER_COMMENT] = b"UNICODE\0" + said.text.encode("utf-16-be", "replace")
    with Image.open(file) as image:
        if wanted is Format.JPEG:
            options = {"quality": 92, "subsampling": 0, "optimize": True}
        else:
            options = {"quality": 90, "method": 4}
        image.convert("RGB").save(out, wanted.value.upper(), exif=exif, xmp=_xmp(said), **options)
    return out.getvalue()


def _xmp(said: Described) -> bytes:
    values = json.dumps(said.parameters, ensure_ascii=False)
    return _XMP.format(text=_xml(said.text), values=_xml(values)).encode("utf-8", "replace")


def _xml(text: str) -> str:
    return escape(_NOT_IN_XML.sub("\ufffd", text))


def _parsed(text: str) -> Mapping[str, Any]:
    try:
        values = json.loads(text)
    except ValueError:
        return {}
    return values if isinstance(values, dict) else {}
