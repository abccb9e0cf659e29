"""Reading a streamed chat completion: bytes to server-sent events, events to text, usage and confidence.

Pure and cheap: this runs once for every token of every stream.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from gpu_workers.engines.text_stream import AnswerStream

MAX_EVENT_BYTES = 4 * 1024 * 1024
_DATA = b"data:"


class NotAStream(ValueError):
    """The server sent something that no chat completion looks like."""


class UpstreamFailed(Exception):
    """An error object came instead of a token. `status` is its HTTP-like code, where it has one."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.message, self.status = message, status


class EventLines:
    """Cuts a byte stream into the data of server-sent events, wherever the network cut it."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The data of each event that is whole now. Raises NotAStream for an endless event."""
        if self._rest:
            data = self._rest + data
        if b"\r" in data:
            data = self._plain_newlines(data)
        *blocks, rest = data.split(b"\n\n")
        if len(rest) > MAX_EVENT_BYTES:
            raise NotAStream(f"an event of more than {MAX_EVENT_BYTES // 1024 // 1024} MB")
        self._rest = rest
        return [event for block in blocks if (event := _event_data(block))]

    def rest(self) -> bytes:
        """The data of a last event that the server did not end with an empty line."""
        return _event_data(self._rest.replace(b"\r", b"\n"))

    def _plain_newlines(self, data: bytes) -> bytes:
        # A carriage return at the end may be half of a CRLF: it waits, as it is, for what follows.
        tail = b"\r" if data.endswith(b"\r") else b""
        return data[: len(data) - len(tail)].replace(b"\r\n", b"\n").replace(b"\r", b"\n") + tail


def _event_data(block: bytes) -> bytes:
    if b"\n" not in block:  # nearly always
        return block[len(_DATA) :].strip() if block.startswith(_DATA) else b""
    lines = (line for line in block.split(b"\n") if line.startswith(_DATA))
    return b"\n".join(line[len(_DATA) :].strip() for line in lines)


class Piece(NamedTuple):
    """What one event adds to the answer."""

    reasoning: str
    text: str


class Usage(NamedTuple):
    """Token counts as the server has them."""

    prompt: int
    completion: int


NOTHING = Piece("", "")


class Answer:
    """What the events of one try say together. A splitter takes reasoning out of the text."""

    __slots__ = ("_logprobs", "_probability", "_splitter", "deltas", "done", "finish_reason", "usage")

    def __init__(self, splitter: AnswerStream | None = None) -> None:
        self._splitter = splitter
        self.deltas = 0
        self.done = False
        self.finish_reason: str | None = None
        self.usage: Usage | None = None
        self._probability = 0.0
        self._logprobs = 0

    def take(self, data: bytes) -> Piece:
        """Read one event. Raises UpstreamFailed for an error object, NotAStream for anything unreadable."""
        if data == b"[DONE]":
            self.done = True
            return NOTHING
        try:
            event = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise NotAStream(f"unreadable JSON: {data[:80]!r}") from error
        try:
            if event.get("error") is not None:
                raise upstream_error(event["error"])
            if (usage := event.get("usage")) is not None:
                self._take_usage(usage)
            choices = event.get("choices")
            return self._take_choice(choices[0], "delta") if choices else NOTHING
        except (AttributeError, LookupError, TypeError) as error:
            raise NotAStream(f"an event of another shape: {data[:80]!r}") from error

    def take_whole(self, body: bytes) -> Piece:
        """Read a completion that was not streamed, from a server that ignores `stream`."""
        try:
            completion = orjson.loads(body)
            if completion.get("error") is not None:
                raise upstream_error(completion["error"])
            if (usage := completion.get("usage")) is not None:
                self._take_usage(usage)
            piece = self._take_choice(completion["choices"][0], "message")
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise NotAStream(f"neither events nor a completion: {body[:80]!r}") from error
        self.done = True
        return piece

    def _take_choice(self, choice: Mapping[str, Any], part: str) -> Piece:
        if (reason := choice.get("finish_reason")) is not None:
            self.finish_reason = str(reason)
        if (logprobs := choice.get("logprobs")) is not None:
            self._take_logprobs(logprobs)
        delta = choice.get(part)
        if not delta:
            return NOTHING
        text = delta.get("content") or ""
        # DeepSeek and SGLang say `reasoning_content`; vLLM's newer versions and OpenRouter say `reasoning`.
        reasoning = delta.get("reasoning_content") or delta.get("reasoning") or ""
        if not (isinstance(text, str) and isinstance(reasoning, str)):
            raise NotAStream(f"a delta that is no text: {str(delta)[:80]!r}")
        if not (text or reasoning):
            return NOTHING
        self.deltas += 1
        if self._splitter is None:
            return Piece(reasoning, text)
        found = self._splitter.feed(text)
        piece = Piece(reasoning + found.reasoning, found.text)
        return piece if piece != NOTHING else NOTHING  # callers compare by identity

    def _take_usage(self, usage: Mapping[str, Any]) -> None:
        prompt, completion = usage.get("prompt_tokens"), usage.get("completion_tokens")
        if isinstance(prompt, int) and isinstance(completion, int):
            self.usage = Usage(prompt, completion)

    def _take_logprobs(self, logprobs: object) -> None:
        tokens = logprobs.get("content") if isinstance(logprobs, dict) else None
        for token in tokens or ():
            if isinstance(value := token.get("logprob"), int | float) and value <= 0:
                self._probability += math.exp(value)
                self._logprobs += 1

    def finish(self) -> Piece:
        """What the splitter held back, now that nothing follows."""
        if self._splitter is None:
            return NOTHING
        held = self._splitter.finish()
        return Piece(held.reasoning, held.text) if held else NOTHING

    @property
    def confidence(self) -> float | None:
        """Mean probability of the tokens, where the server gave them."""
        return self._probability / self._logprobs if self._logprobs else None

    @property
    def complete(self) -> bool:
        """Whether the server said that the answer has ended."""
        return self.done or self.finish_reason is not None


def upstream_error(error: object) -> UpstreamFailed:
    """An `error` value of a server's JSON, in any of the shapes that servers use."""
    if isinstance(error, dict):
        code = error.get("code")
        status = code if isinstance(code, int) else None
        return UpstreamFailed(str(error.get("message") or error.get("type") or "no reason given"), status)
    return UpstreamFailed(str(error) or "no reason given")


def estimated_tokens(text: str) -> int:
    """Roughly how many tokens a text is, where nobody counted: a CJK character each, else four characters."""
    wide = sum(1 for character in text if character >= "\u2e80")
    return wide + (len(text) - wide + 3) // 4
