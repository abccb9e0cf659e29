"""Reads JSON bodies of a bounded size."""

from __future__ import annotations

import codecs
import json
from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser
from typing_extensions import override

from aigc.lib.errors import TooLarge


class LimitedJSONParser(JSONParser):
    """REST framework's parser reads a body of any size; this one stops at AIGC_MAX_BODY_MB."""

    @override
    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise TooLarge(limit)
        return parse_json(body, encoding=(parser_context or {}).get("encoding", "utf-8"))


def parse_json(body: bytes, *, encoding: str = "utf-8") -> Any:
    """The value of a JSON text. Raises ParseError (400) for anything else, NaN and Infinity included."""
    try:
        return json.loads(codecs.decode(body, encoding), parse_constant=_refuse_constant)
    except (ValueError, LookupError, RecursionError) as error:
        raise ParseError(f"The body is not valid JSON: {str(error)[:200]}.") from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")
