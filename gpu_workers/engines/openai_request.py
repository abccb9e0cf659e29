"""One chat on its way through the `openai` engine: what its reader has, and how it is handed on."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from gpu_workers.contract.messages import ChatParams
from gpu_workers.engines.base import Chunk, EngineError, Request, RestartChunk, TextChunk
from gpu_workers.engines.chat_turns import later_half
from gpu_workers.engines.openai_options import Endpoint
from gpu_workers.engines.openai_pictures import data_url
from gpu_workers.engines.openai_stream import Answer, Piece, estimated_tokens

# Takes what a stream gives, in the loop's thread; None is its end.
Sink = Callable[[tuple[Request, Chunk | EngineError | None]], object]


class Stream:
    """One request on its way. Belongs to the loop's thread, but for `request`.

    `started`: this attempt has given text. `tokens_before`: how many tokens of the reader's text were made
    before the present try. `answer_only`: a continued answer, whose reasoning is over.
    """

    __slots__ = (
        "answer_only",
        "deadline",
        "deltas",
        "dropped_turns",
        "ended",
        "has_reasoning",
        "params",
        "pictures",
        "request",
        "sink",
        "started",
        "task",
        "texts",
        "timed_out",
        "tokens_before",
    )

    def __init__(self, request: Request, sink: Sink) -> None:
        if not isinstance(request.params, ChatParams):
            raise EngineError("bad_params", f"A chat model takes chats, not {type(request.params).__name__}.")
        self.request, self.sink, self.params = request, sink, request.params
        self.pictures = {name: data_url(data, name) for name, data in request.attachments.items()}
        resume = request.resume
        self.texts = [resume.text] if resume.text else []
        self.has_reasoning = bool(resume.reasoning)
        self.tokens_before = estimated_tokens(resume.text) + estimated_tokens(resume.reasoning)
        self.deltas = self.dropped_turns = 0
        self.started = self.answer_only = self.timed_out = self.ended = False
        self.deadline = math.inf
        self.task: asyncio.Task[None] | None = None

    @property
    def tokens_left(self) -> int:
        """How many more tokens the job allows."""
        return self.params.max_tokens - self.tokens_before

    def shorten(self) -> bool:
        """Leave out the older half of the conversation, if the job allows that and it has halves."""
        turns = later_half(self.params.messages) if self.params.truncation == "auto" else None
        if turns is None:
            return False
        self.dropped_turns += len(self.params.messages) - len(turns)
        self.params = replace(self.params, messages=turns)
        return True

    def give(self, pieces: Sequence[Piece]) -> None:
        """Hand text to the job."""
        if self.answer_only:
            pieces = [Piece("", piece.reasoning + piece.text) for piece in pieces]
        self.started = True
        for reasoning, text in pieces if len(pieces) == 1 else merged(pieces):
            if text:
                self.texts.append(text)
            if reasoning:
                self.has_reasoning = True
            self.sink((self.request, TextChunk(text, reasoning)))

    def begin_again(self) -> None:
        """Tell the job that the answer starts over; only while this attempt has given nothing."""
        self.texts, self.has_reasoning, self.tokens_before = [], False, 0
        self.sink((self.request, RestartChunk()))

    def end(self, last: Chunk | EngineError | None = None) -> None:
        """Let the job go, once."""
        if self.ended:
            return
        self.ended = True
        try:
            if last is not None:
                self.sink((self.request, last))
        finally:
            self.sink((self.request, None))


def merged(pieces: Sequence[Piece]) -> list[Piece]:
    """As few pieces as keep the order, in which a piece's reasoning comes before its text."""
    result: list[Piece] = []
    for piece in pieces:
        if result and not (result[-1].text and piece.reasoning):
            result[-1] = Piece(result[-1].reasoning + piece.reasoning, result[-1].text + piece.text)
        else:
            result.append(piece)
    return result


def can_continue(endpoint: Endpoint, stream: Stream) -> bool:
    # No server says how to go on inside the reasoning, so only an answer that has begun is continued.
    return endpoint.continues is not None and bool(stream.texts)


def usage(stream: Stream, answer: Answer) -> dict[str, Any]:
    """Token counts of the whole answer, earlier attempts included; `estimated` where somebody guessed."""
    before = stream.tokens_before
    counted = answer.usage
    if counted is None:
        prompt = sum(estimated_tokens(turn.content) for turn in stream.params.messages)
        completion = stream.deltas
    else:
        # The text that this try continued was part of its prompt.
        prompt = max(0, counted.prompt - (before if stream.texts else 0))
        completion = counted.completion
    completion += before
    counts: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }
    if stream.dropped_turns:
        counts["dropped_turns"] = stream.dropped_turns
    return counts if counted is not None and not before else counts | {"estimated": True}
