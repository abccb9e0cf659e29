"""Answers to range requests (RFC 9110 §14), so that players can seek in what we serve."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

CHUNK = 64 * 1024
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def file_response(request: HttpRequest, file: BinaryIO, size: int, media_type: str) -> HttpResponseBase:
    """The whole file, or the one range that was asked for (206), or 416 for a range outside of it."""
    span = _span(request.headers.get("Range", ""), size)
    if span is None:
        file.close()
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
    start, end = span
    whole = (start, end) == (0, size) and "Range" not in request.headers
    response = StreamingHttpResponse(
        _read(file, start, end), status=200 if whole else 206, content_type=media_type
    )
    response["Content-Length"] = str(end - start)
    response["Accept-Ranges"] = "bytes"
    if not whole:
        response["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    return response


def _span(header: str, size: int) -> tuple[int, int] | None:
    """First and one-past-last byte; the whole file for no range or one that we do not read; None when out of it."""
    match = _RANGE.fullmatch(header.strip())
    if match is None or match.groups() == ("", ""):
        return 0, size
    first, last = match.groups()
    if not first:
        return (max(0, size - int(last)), size) if int(last) else None
    end = min(int(last) + 1, size) if last else size
    return (int(first), end) if int(first) < end else None


def _read(file: BinaryIO, start: int, end: int) -> Iterator[bytes]:
    with file:
        file.seek(start)
        left = end - start
        while left > 0 and (chunk := file.read(min(CHUNK, left))):
            left -= len(chunk)
            yield chunk
