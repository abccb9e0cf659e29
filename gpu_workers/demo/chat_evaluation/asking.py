"""Asks the model as the product does: through the engine, many chats at once or one alone."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from gpu_workers.contract.messages import ChatParams, ModelSpec, Turn
from gpu_workers.demo.chat_training.examples import Example
from gpu_workers.demo.chat_training.sampling import MAX_TOKENS, Reply
from gpu_workers.engines.base import Chunk, DoneChunk, EngineError, Request, TextChunk
from gpu_workers.engines.deepseek import DeepSeekEngine, load

AT_ONCE = 32


@contextmanager
def loaded_engine(folder: Path) -> Iterator[DeepSeekEngine]:
    """The engine with the model of this folder; closed at the end."""
    spec = ModelSpec(id="demo-chat", medium="chat", engine="deepseek", source=str(folder.resolve()))
    engine = load(spec, lambda _: None)
    try:
        yield engine
    finally:
        engine.close()


def ask_all(engine: DeepSeekEngine, examples: Sequence[Example]) -> list[Reply]:
    """The replies in the order of the examples, with the model's own sampling."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda example: ask(engine, example), examples))


def ask(engine: DeepSeekEngine, example: Example) -> Reply:
    """One reply. Raises EngineError."""
    messages = tuple(Turn(turn.role, turn.content) for turn in example.turns)
    request = Request(ChatParams(messages, max_tokens=MAX_TOKENS))
    reasoning, answer, tokens, ended = "", "", 0, False
    for chunk in _chunks(engine, request):
        if isinstance(chunk, TextChunk):
            reasoning += chunk.reasoning
            answer += chunk.text
        elif isinstance(chunk, DoneChunk):
            tokens, ended = chunk.usage["completion_tokens"], chunk.finish_reason == "stop"
    return Reply(reasoning.strip(), answer.strip(), tokens, ended, closed=bool(answer))


def tokens_per_second(engine: DeepSeekEngine, examples: Sequence[Example]) -> float:
    """Speed of one stream, the prompt's time counted in."""
    ask(engine, examples[0])
    started_s = time.perf_counter()
    tokens = sum(ask(engine, example).tokens for example in examples)
    return tokens / (time.perf_counter() - started_s)


def _chunks(engine: DeepSeekEngine, request: Request) -> Iterator[Chunk]:
    for _, chunk in engine.generate([request]):
        if isinstance(chunk, EngineError):
            raise chunk
        yield chunk
