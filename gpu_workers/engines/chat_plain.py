"""Chats through plain `generate`: for seeds, repetition penalties and models that cannot be batched.

It knows tokens only: no text, no templates.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

import torch
from transformers import (
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    PreTrainedModel,
    StoppingCriteria,
    StoppingCriteriaList,
)
from transformers.generation.streamers import BaseStreamer

from gpu_workers.engines.base import EngineError
from gpu_workers.engines.chat_sampling import GeneratedToken, Sampling, choose

# How often a waiting reader looks whether its job was stopped.
LOOK_UP_S = 0.25


class PlainGenerate:
    """Runs at most `side_by_side` chats at once; each has a random generator and a cache of its own."""

    def __init__(self, model: PreTrainedModel, eos_tokens: Sequence[int], side_by_side: int) -> None:
        self._model, self._eos_tokens = model, list(eos_tokens)
        self._pool = ThreadPoolExecutor(side_by_side, thread_name_prefix="chat-plain")
        self._closing = threading.Event()
        self._runs: set[_Run] = set()
        self._lock = threading.Lock()
        self._tokens_before = 0

    @property
    def tokens_generated(self) -> int:
        """Tokens made since the start."""
        with self._lock:
            return self._tokens_before + sum(run.made for run in self._runs)

    def tokens(
        self,
        prompt: Sequence[int],
        max_new_tokens: int,
        sampling: Sampling,
        stopped: Callable[[], bool],
        *,
        seed: int | None = None,
        repetition_penalty: float | None = None,
    ) -> Iterator[list[GeneratedToken]]:
        """Yield the answer's tokens one by one; EOS is one of them. Ends early once `stopped()`.

        Equal seeds give equal answers on equal hardware. Raises EngineError.
        """
        run = _Run(lambda: self._closing.is_set() or stopped(), self._generator(seed))
        config = GenerationConfig(
            do_sample=False,  # `_ChooseOne` has already chosen
            max_new_tokens=max_new_tokens,
            eos_token_id=self._eos_tokens or None,
            pad_token_id=self._eos_tokens[0] if self._eos_tokens else 0,
            repetition_penalty=repetition_penalty,
        )
        future = self._submit(list(prompt), config, sampling, run)
        try:
            yield from _read(run, future)
            if self._closing.is_set():
                raise _unloaded()
        finally:
            run.abandoned = True
            future.cancel()

    def close(self) -> None:
        """Stop what runs and end the threads."""
        self._closing.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _submit(
        self, prompt: list[int], config: GenerationConfig, sampling: Sampling, run: _Run
    ) -> Future[None]:
        with self._lock:
            if self._closing.is_set():
                raise _unloaded()
            self._runs.add(run)
            future = self._pool.submit(self._generate, prompt, config, sampling, run)
        future.add_done_callback(lambda _: self._ended(run))
        return future

    def _ended(self, run: _Run) -> None:
        with self._lock:
            self._runs.discard(run)
            self._tokens_before += run.made
        run.tokens.put(None)

    def _generate(self, prompt: list[int], config: GenerationConfig, sampling: Sampling, run: _Run) -> None:
        inputs = torch.tensor([prompt], device=self._model.device)
        self._model.generate(
            inputs,
            attention_mask=torch.ones_like(inputs),
            generation_config=config,
            logits_processor=LogitsProcessorList([_ChooseOne(sampling, run)]),
            stopping_criteria=StoppingCriteriaList([_StopAsked(run)]),
            streamer=_Streamer(run),
        )

    def _generator(self, seed: int | None) -> torch.Generator:
        generator = torch.Generator(self._model.device)
        if seed is None:
            generator.seed()
        else:
            generator.manual_seed(seed % 2**63)  # torch refuses longer ones
        return generator


class _Run:
    """What one run and its reader share; None in `tokens` is the end."""

    def __init__(self, should_stop: Callable[[], bool], generator: torch.Generator) -> None:
        self._should_stop = should_stop
        self.generator = generator
        self.tokens: queue.SimpleQueue[GeneratedToken | None] = queue.SimpleQueue()
        self.made = 0
        self.probability = 0.0
        self.abandoned = False

    def should_stop(self) -> bool:
        """Whether nobody wants another token."""
        return self.abandoned or self._should_stop()


def _read(run: _Run, future: Future[None]) -> Iterator[list[GeneratedToken]]:
    while True:
        tokens: list[GeneratedToken | None] = []
        with suppress(queue.Empty):
            tokens.append(run.tokens.get(timeout=LOOK_UP_S))
        if run.should_stop():
            return
        if tokens == [None]:
            break
        if made := [token for token in tokens if token is not None]:
            yield made
    try:
        future.result()
    except torch.OutOfMemoryError as error:
        raise EngineError(
            "out_of_memory", "The device has no memory left for this chat; try again later.", retryable=True
        ) from error
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        raise EngineError("generation_failed", f"The model could not run this chat: {error}") from error


def _unloaded() -> EngineError:
    return EngineError("model_unloaded", "The model was just unloaded; try again.", retryable=True)


class _ChooseOne(LogitsProcessor):  # type: ignore[misc]  # transformers is not typed
    """Applies `choose` to a single row and remembers the probability for the streamer."""

    def __init__(self, sampling: Sampling, run: _Run) -> None:
        self._sampling, self._run = sampling, run

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores that say which token was chosen, [1, vocabulary]."""
        top_k = self._sampling.kept_tokens(scores.shape[-1])
        decided = choose(
            scores,
            temperature=scores.new_tensor([self._sampling.temperature or 1.0]),
            top_k=torch.tensor([top_k], device=scores.device),
            top_p=scores.new_tensor([self._sampling.top_p]),
            width=top_k,
            generator=self._run.generator,
        )
        self._run.probability = float(decided.max().exp())
        return decided


class _StopAsked(StoppingCriteria):  # type: ignore[misc]  # transformers is not typed
    def __init__(self, run: _Run) -> None:
        self._run = run

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **_: object) -> torch.Tensor:
        """One answer for the one row."""
        return torch.tensor([self._run.should_stop()], device=input_ids.device)


class _Streamer(BaseStreamer):  # type: ignore[misc]  # transformers is not typed
    """Hands each token to the reader. The first thing that `generate` sends is the prompt."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._prompt_seen = False

    def put(self, value: torch.Tensor) -> None:
        """Take the next token, [1]."""
        if not self._prompt_seen:
            self._prompt_seen = True
            return
        self._run.made += 1
        self._run.tokens.put(GeneratedToken(int(value.flatten()[0]), self._run.probability))

    def end(self) -> None:
        """The end is told by the future, which also knows of errors."""
