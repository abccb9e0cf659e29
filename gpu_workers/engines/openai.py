"""Chat models behind any OpenAI-style server: DeepSeek's API, vLLM, SGLang, Ollama, or another studio.

Nothing is loaded here: a model is an address, a name and a key. What a catalogue entry may say is in
`openai_options.py`; how servers are read, tried again and given up on in `openai_client.py`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from queue import SimpleQueue
from typing import Any

from gpu_workers.contract.events import Progress
from gpu_workers.contract.messages import ChatParams, ModelSpec, Turn
from gpu_workers.engines.base import Chunk, EngineError, ProgressCallback, Request, TextChunk
from gpu_workers.engines.openai_client import Client
from gpu_workers.engines.openai_options import Endpoint, Options, read_options

Item = tuple[Request, Chunk | EngineError | None]


def load(spec: ModelSpec, progress: ProgressCallback) -> OpenAIEngine:
    """Read the options and start the client. Asks the server nothing: it may be down now and up later.

    Raises EngineError `bad_options` or `missing_key`.
    """
    engine = OpenAIEngine(read_options(spec))
    progress(Progress(step=1, steps=1, stage="load"))
    return engine


class OpenAIEngine:
    """A chat model on one server, with a standby. One event loop reads all its streams."""

    max_batch = 1  # the server batches
    max_wait_s = 0.0

    def __init__(self, options: Options) -> None:
        self._options = options
        self._client = Client(options, self._body)

    def batch_key(self, request: Request) -> Hashable:
        """Requests are alike here."""
        return None

    def stream_to(self, request: Request, give: Callable[[Chunk | EngineError], None]) -> None:
        """Stream one answer into `give`, which is called in the engine's own thread; returns when it is over.

        The cheaper way: the job's thread sleeps to the end, where `generate` wakes it for every token.
        `give` must be quick and must not raise.
        """
        over = threading.Event()

        def sink(item: Item) -> None:
            _, chunk = item
            if chunk is None:
                over.set()
            elif not request.stopped():
                give(chunk)

        stream = self._client.start(request, sink)
        try:
            over.wait()
        finally:
            if not over.is_set():
                self._client.abandon(stream)

    def generate(self, requests: Sequence[Request]) -> Iterator[tuple[Request, Chunk | EngineError]]:
        """Stream the answers. A request that fails is yielded as its EngineError."""
        outbox: SimpleQueue[Item] = SimpleQueue()
        streams = [self._client.start(request, outbox.put) for request in requests]
        running = len(streams)
        try:
            while running:
                for request, chunk in _coalesced(_waiting(outbox)):
                    if chunk is None:
                        running -= 1
                    elif not request.stopped():
                        yield request, chunk
        finally:
            if running:
                for stream in streams:
                    self._client.abandon(stream)

    def memory_bytes(self) -> int:
        """Nothing: the model is elsewhere."""
        return 0

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _body(
        self,
        endpoint: Endpoint,
        params: ChatParams,
        pictures: Mapping[str, str],
        *,
        text: str,
        max_tokens: int,
    ) -> Mapping[str, Any]:
        body: dict[str, Any] = {
            "model": endpoint.model,
            "messages": [
                {"role": turn.role, "content": _content(turn, pictures)} for turn in params.messages
            ],
            "stream": True,
            "max_tokens": max_tokens,
        }
        if self._options.stream_usage:
            body["stream_options"] = {"include_usage": True}
        if self._options.logprobs:
            body["logprobs"] = True
        body |= _sampling(params, self._options.sampling_extensions)
        if text:
            _continue(body, endpoint, text)
        return body | dict(self._options.extra)


def _content(turn: Turn, pictures: Mapping[str, str]) -> str | list[dict[str, Any]]:
    """The text, or text and pictures as parts (https://platform.openai.com/docs/guides/images-vision)."""
    if not turn.images:
        return turn.content
    shown = [{"type": "image_url", "image_url": {"url": pictures[name]}} for name in turn.images]
    return [{"type": "text", "text": turn.content}, *shown] if turn.content else shown


def _sampling(params: ChatParams, extensions: Sequence[str]) -> dict[str, Any]:
    chosen: dict[str, Any] = {
        name: getattr(params, name) for name in ("temperature", "top_p", "seed", *extensions)
    }
    chosen["stop"] = list(params.stop) or None
    return {name: value for name, value in chosen.items() if value is not None}


def _continue(body: dict[str, Any], endpoint: Endpoint, text: str) -> None:
    """Add the partial answer, so that the server goes on right behind it."""
    partial: dict[str, Any] = {"role": "assistant", "content": text}
    if endpoint.continues == "deepseek_prefix":
        partial["prefix"] = True
    else:
        body |= {"add_generation_prompt": False, "continue_final_message": True}
    body["messages"] = [*body["messages"], partial]


def _waiting(outbox: SimpleQueue[Item]) -> list[Item]:
    """Wait for an item and take whatever else is there."""
    items = [outbox.get()]
    while not outbox.empty():  # this thread is the only reader
        items.append(outbox.get())
    return items


def _coalesced(items: list[Item]) -> list[Item]:
    """Join text that waited together."""
    result = items[:1]
    for request, chunk in items[1:]:
        if request is result[-1][0] and (joined := _joined(result[-1][1], chunk)) is not None:
            result[-1] = request, joined
        else:
            result.append((request, chunk))
    return result


def _joined(first: Chunk | EngineError | None, second: Chunk | EngineError | None) -> TextChunk | None:
    """Both as one; None where they must stay two: in one chunk, reasoning comes before text."""
    if not (isinstance(first, TextChunk) and isinstance(second, TextChunk)) or (
        first.text and second.reasoning
    ):
        return None
    return TextChunk(first.text + second.text, first.reasoning + second.reasoning)
