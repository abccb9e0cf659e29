"""Answers to range requests (RFC 9110 §14), so that players can seek in what we serve."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import BinaryIO

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

CHUNK = 256 * 1024
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
        Slice(file, start, end), status=200 if whole else 206, content_type=media_type
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


class Slice:
    """Part of a file in chunks, each read when the one before has gone. The response closes it.

    Asynchronous: of an ordinary iterator Django would make a list before it sends the first chunk.
    """

    def __init__(self, file: BinaryIO, start: int, end: int) -> None:
        self._file, self._at, self._end = file, start, end

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while chunk := await asyncio.to_thread(self._next):
            yield chunk

    def _next(self) -> bytes:
        self._file.seek(self._at)
        chunk = self._file.read(min(CHUNK, self._end - self._at))
        self._at += len(chunk)
        return chunk

    def close(self) -> None:
        """Close the file."""
        self._file.close()
